# The public names, each listed once: read by type checkers, and by lazy_loader when tinker_frames is imported.

from . import demo as demo
from . import errors as errors
from . import policies as policies
from .accessor import TinkerAccessor as TinkerAccessor
from .accessor import tinker as tinker
from .client import Client as Client
from .frames.files import export as export
from .frames.files import read_export as read_export
from .functions import checkpoints as checkpoints
from .functions import connect as connect
from .functions import default_client as default_client
from .functions import inventory as inventory
from .functions import journal as journal
from .functions import load_plan as load_plan
from .functions import resume as resume
from .functions import samplers as samplers
from .functions import sessions as sessions
from .functions import training_runs as training_runs
from .functions import undo as undo
from .plans.plan import Plan as Plan
from .schema import catalog as catalog
from .version import __version__ as __version__
from .views import explore as explore
from .views.widget import CheckpointsView as CheckpointsView
from .views.widget import SessionsView as SessionsView
from .views.widget import TrainingRunsView as TrainingRunsView
