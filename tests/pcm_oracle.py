"""Figures of PCM devices by IBM's aihwkit itself; `tests/aihwkit_pcm.json` is what this prints.

Version 1.1.0 with PyTorch 2.13, in an environment of its own:

    pip install aihwkit
    python tests/pcm_oracle.py > tests/aihwkit_pcm.json

Its normal draws are replaced by -1, 0 and 1, so that means and deviations come out exactly, in
float32.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

CONDUCTANCES = (0.0, 0.1, 0.5, 1.0, 2.5, 5.0, 8.2, 10.0, 15.0, 20.0, 25.0)
"""Targets in uS."""
TIMES = (0.0, 1.0, 3600.0, 86400.0, 31536000.0)
"""Seconds since programming."""
DRAWS = (-1.0, 0.0, 1.0)


def figures() -> dict[str, Any]:
    """Return what aihwkit makes of CONDUCTANCES; each table is (draw, [time,] conductance)."""
    torch = importlib.import_module("torch")
    pcm: Any = importlib.import_module("aihwkit.inference.noise.pcm")
    model = pcm.PCMLikeNoiseModel(g_max=25.0)
    g = torch.tensor(CONDUCTANCES)
    original = pcm.randn_like
    result: dict[str, Any] = {"programmed": [], "exponent": [], "read": []}
    try:
        for draw in DRAWS:
            pcm.randn_like = lambda like, draw=draw: torch.full_like(like, draw)
            result["programmed"].append(model.apply_programming_noise_to_conductance(g).tolist())
            result["exponent"].append(model.generate_drift_coefficients(g).tolist())
            nu = torch.full_like(g, 0.06)
            read = [model.apply_drift_noise_to_conductance(g, nu, time) for time in TIMES]
            result["read"].append([each.tolist() for each in read])
    finally:
        pcm.randn_like = original
    return {
        "aihwkit": importlib.import_module("aihwkit.version").__version__,
        "g_max": model.g_max,
        "t_0": model.t_0,
        "t_read": model.t_read,
        "conductances": CONDUCTANCES,
        "times": TIMES,
        "draws": DRAWS,
        "exponent_of_reads": 0.06,
        **result,
    }


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1))
