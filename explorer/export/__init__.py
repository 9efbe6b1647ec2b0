"""Export: a pruned model as files that outlive this program, each checked before it is kept."""

from explorer.export.bundle import write_bundle
from explorer.export.onnx_file import check_onnx, export_onnx
from explorer.export.script import loader_script
from explorer.export.verify import verify_bundle

__all__ = ["check_onnx", "export_onnx", "loader_script", "verify_bundle", "write_bundle"]
