#!/bin/sh
# Fill /opt/venv with some extras, from wheels/ where `make wheels` has filled it, else the index.
set -eu
python3 requirements.py "$@" > requirements.txt
wheels=wheels/$(echo "$@" | tr ' ' -)
source=
if ls "$wheels/"*.whl >/dev/null 2>&1; then
    source="--no-index --find-links $wheels"
fi
# shellcheck disable=SC2086  # two options or none
/opt/pip/bin/pip --python /opt/venv install --quiet --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --constraint constraints.txt $source --requirement requirements.txt

# What only their developers run is a fifth of the packages' size.
site=$(echo /opt/venv/lib/python3*/site-packages)
find "$site" -type d -name tests -prune -exec rm -rf {} +
cd "$site/onnxruntime" && rm -rf datasets quantization tools transformers
