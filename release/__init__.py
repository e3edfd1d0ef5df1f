"""What a release is made of beside the code: bundle archive, bill of materials, licences."""
