from .api import Change as Change
from .api import Problem as Problem
from .api import Smaller as Smaller
from .api import load as load
from .api import open as open
from .api import run as run
from .budget import ALLOCATORS as ALLOCATORS
from .budget import NORMALISERS as NORMALISERS
from .criteria import CRITERIA as CRITERIA
from .errors import ExplorerError as ExplorerError
from .methods import METHODS as METHODS
from .recovery import RECOVERIES as RECOVERIES

__version__: str
