# The public names, each listed once: read by type checkers, and by lazy_loader when tinker_frames.demo is imported.

from .data.dialects import DIALECTS as DIALECTS
from .data.dialects import Dialect as Dialect
from .data.state import State as State
from .endpoints import ENDPOINTS as ENDPOINTS
from .server import DemoServer as DemoServer
from .server import account as account
from .service.backend import Switches as Switches
from .traffic.faults import Burst as Burst
from .traffic.faults import Churn as Churn
from .traffic.faults import Faults as Faults
from .traffic.faults import Hang as Hang
from .traffic.faults import Reset as Reset
from .traffic.faults import Truncate as Truncate
from .traffic.request_log import RecordedRequest as RecordedRequest
from .traffic.request_log import RequestLog as RequestLog
