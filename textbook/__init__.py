"""What teaches: pictures, the page's numbers, and how fast the same answers could be computed."""

# Its environment for matplotlib and ONNX Runtime must stand before either is imported.
import model_export  # noqa: F401
