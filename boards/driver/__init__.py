"""The host driver: NumPy and the standard library alone, so that it works away from this project.

On a board, `Accelerator("NAME.bit")` beside ``accelerator.json`` is all there is to know.
"""

from boards.driver.accelerator import Accelerator
from boards.driver.errors import DriverError
from boards.driver.prediction import Prediction

__all__ = ["Accelerator", "DriverError", "Prediction"]
