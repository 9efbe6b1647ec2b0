from .tools.context import Context as Context
from .tools.estimating import estimate as estimate
from .tools.registry import CRITERIA as CRITERIA
from .tools.registry import Criterion as Criterion
from .tools.registry import criterion as criterion
from .tools.scoring import Scores as Scores
from .tools.scoring import score as score
