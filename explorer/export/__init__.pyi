from .bundle import write_alone as write_alone
from .bundle import write_bundle as write_bundle
from .draft import Exportable as Exportable
from .onnx_file import check_onnx as check_onnx
from .onnx_file import export_onnx as export_onnx
from .registry import FORMATS as FORMATS
from .registry import Format as Format
from .script import loader_script as loader_script
