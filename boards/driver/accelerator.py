"""The accelerator as a Python object: images in, predictions out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from boards.driver.description import FILE, Description
from boards.driver.device import Device
from boards.driver.errors import require
from boards.driver.prediction import Prediction
from boards.driver.targets import open_target

__all__ = ["Accelerator", "Progress"]

Progress = Callable[[int], None]
RULES = ("off", "vote", "margin")
"""Of early exit, by their numbers in register EXIT."""


class Accelerator:
    """A network on a board, or in simulation.

    Before it is used, the hardware is identified by the build hash of its model. Seeds, and the
    model's constants where they are registers, are loaded and read back. Then it is tested: its
    random streams by golden words, and all of it by golden logits, where the description holds
    some.

    Parameters
    ----------
    target : a bitstream (PYNQ loads it), the physical address or the UIO device of the shell on a
        board that has been configured, the serial port to one, or a `Backend`.
    description : path or content of the JSON file; that beside the bitstream, or else in the
        working folder, if None.
    batch : most images in one transfer.

    words_equal : how many words of the random streams were tested.

    Raises `DriverError`, a line, where anything is not what it must be.
    """

    def __init__(self, target: Any, description: Any = None, *, batch: int = 256) -> None:
        if description is None:
            is_file = isinstance(target, (str, Path)) and str(target).endswith(".bit")
            description = Path(target).parent / FILE if is_file else Path(FILE)
        self.batch = batch
        self.words_equal = 0
        self.description = Description(description)
        self.backend = open_target(target, self.description)
        self.device = Device(self.backend, self.description)
        try:
            self._identify()
            self.device.stop()
            self._load(self.description.seeds)
            self._load(self._constants)
            self._test_streams()
            self._test()
            if self.description.correction:
                self.correct(**self.description.correction)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the board; again does nothing."""
        self.backend.close()

    def predict(
        self,
        images: Any,
        members: int = 10,
        progress: Progress = lambda done: None,
        *,
        rule: str = "off",
        margin: float = 0.0,
    ) -> Prediction:
        """Return what `members` members say of `images`, uint8 (N, *input_shape) or (N, pixels).

        rule : "vote" ends an image once its winner by votes is certain, "margin" after two members
        or more once the sums of logits part by `margin` logits; then `members` is the most.
        Every call starts the random streams at their seeds, so the same images get the same answer.
        `progress` is called with the number of images done since its last call.
        """
        told = self.description
        flat = np.asarray(images)
        require(flat.dtype == np.uint8, "images", "uint8", flat.dtype)
        shapes = [(told.pixels,), told.input_shape]
        if told.input_shape[2] == 1:
            shapes.append(told.input_shape[:2])
        fits = flat.ndim > 1 and len(flat) > 0 and flat.shape[1:] in shapes
        require(fits, "images", f"of shape (N, {told.pixels}), N > 0", flat.shape)
        whole = isinstance(members, (int, np.integer)) and 1 <= members <= told.max_members
        require(whole, "members", f"an integer in 1..{told.max_members}", members)
        beats = np.zeros((len(flat), told.image_bytes), np.uint8)
        beats[:, : told.pixels] = flat.reshape(len(flat), -1)

        self.device.stop()
        settings = self._exit(rule, margin)
        self.device.write("core.MEMBERS", int(members))
        for name, value in settings.items():
            self.device.write(name, value)
        self.device.mover.begin()
        self.device.write("core.CONTROL", self.device.bits("core.CONTROL", "run", "member_logits"))
        try:
            parts = []
            for start in range(0, len(beats), self.batch):
                part = beats[start : start + self.batch]
                parts.append(self.device.transfer(start, part, int(members)))
                progress(len(part))
        finally:
            self.device.stop()
        fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return self._checked(fields, int(members), rule != "off")

    def correct(self, scale: Any = None, offset: Any = None) -> None:
        """Load other scales and offsets of the logits, integers a class; None for the model's own.

        Raises `DriverError`, and writes nothing, unless the registers take all of them.
        """
        told = self.description
        present = bool(told.constants)
        require(present, "the core's constants", "registers to be corrected", "fixed")
        values = self._constants
        for name, given in (("scale", scale), ("offset", offset)):
            if given is None:
                continue
            low, high = told.constants[name]
            integers = np.asarray(given)
            whole = integers.shape == (len(told.classes),) and integers.dtype.kind in "iu"
            require(whole, name, f"{len(told.classes)} integers, one a class", given)
            for number, value in enumerate(integers.tolist()):
                fits = low <= value <= high
                require(fits, f"{name}[{number}]", f"an integer in {low}..{high}", value)
                values[f"{name.upper()}_{number}"] = value & 0xFFFFFFFF
        self.device.stop()
        self._load(values)

    @property
    def busy_cycles(self) -> int:
        """The clock cycles with an image in the core, of the last prediction."""
        low = self.device.read("core.CYCLES_LOW")
        return self.device.read("core.CYCLES_HIGH") << 32 | low

    def _exit(self, rule: str, margin: float) -> dict[str, int]:
        """Return the registers of early exit."""
        told = self.description
        require(rule in RULES, "rule", f"one of {', '.join(RULES)}", rule)
        units = round(margin * 2**told.fraction_bits)
        fits = 0 <= units < 2**32 and (rule == "margin" or not units)
        require(fits, "margin", "at least 0, and 0 unless that is the rule", margin)
        if "core.EXIT" not in told.registers:
            require(rule == "off", "rule", "off: this core has no early exit", rule)
            return {}
        return {"core.EXIT": RULES.index(rule), "core.MARGIN": units}

    # The steps before the first prediction.

    def _identify(self) -> None:
        told = self.description
        for name in (
            f"{block}.{n}" for block in self.device.mover.blocks for n in ("ID", "VERSION")
        ):
            register = told.registers[name]
            found, expected = self.device.read(name), register.reset
            reason = "" if name.endswith("VERSION") else ": no bitstream, or none of ours"
            where = f"{name} at {told.base + register.offset:#010x}"
            require(found == expected, where, f"{expected:#010x}", f"{found:#010x}{reason}")
        found, expected = self.device.read("core.BUILD"), int(told.digest[:8], 16)
        wanted = f"build {expected:08x} (model {told.name})"
        require(found == expected, "the bitstream", wanted, f"build {found:08x}")

    def _load(self, values: dict[str, int]) -> None:
        for name, value in values.items():
            self.device.write(f"core.{name}", value)
        for name, value in values.items():
            found = self.device.read(f"core.{name}")
            require(found == value, f"core.{name}", f"{value:#010x} as written", f"{found:#010x}")

    @property
    def _constants(self) -> dict[str, int]:
        """The model's own scales and offsets, by their registers' names; empty without these."""
        told = self.description
        names = (f"{n.upper()}_{k}" for n in told.constants for k in range(len(told.classes)))
        return {name: told.registers[f"core.{name}"].reset for name in names}

    def _test_streams(self) -> None:
        for number, golden in enumerate(self.description.random_words, start=1):
            self.device.write("core.TEST_STREAM", number)
            self.device.write("core.CONTROL", self.device.bits("core.CONTROL", "run"))
            found = [self.device.read("core.RANDOM") for _ in golden]
            self.device.stop()
            equal, total = sum(map(int.__eq__, found, golden)), len(golden)
            wanted = f"{total}/{total} words equal to golden"
            require(equal == total, f"random stream {number}", wanted, equal)
            self.words_equal += equal
        self.device.write("core.TEST_STREAM", 0)

    def _test(self) -> None:
        if self.description.self_test is None:
            return
        images = np.array(self.description.self_test["images"], np.uint8)
        golden = np.array(self.description.self_test["logits"], np.int64)
        found = self.predict(images, golden.shape[1]).integers.transpose(1, 0, 2)
        equal = int((found == golden).all(axis=2).sum())
        total = golden.shape[0] * golden.shape[1]
        require(equal == total, "the self-test", f"{total}/{total} members equal to golden", equal)

    def _checked(self, fields: dict[str, np.ndarray], members: int, early: bool) -> Prediction:
        """Return the prediction if each packet agrees with itself."""
        told = self.description
        integers = fields["member_logits"].reshape(-1, members, len(told.classes))
        counted = fields["members"][:, 0]
        counts = (np.arange(members) < counted[:, None])[..., None]
        votes = integers.argmax(axis=2)[..., None] == np.arange(len(told.classes))
        votes = (votes & counts).sum(axis=1)
        right = (
            ((counted > 0) & (counted <= members) if early else counted == members)
            & (np.where(counts, 0, integers) == 0).all(axis=(1, 2))
            & (fields["sums"] == integers.sum(axis=1)).all(axis=1)
            & (fields["votes"] == votes).all(axis=1)
        )
        agreeing = f"{int(right.sum())} of {len(right)}"
        require(
            bool(right.all()), "packets with the sums and votes of their members", "all", agreeing
        )
        integers = integers.transpose(1, 0, 2)
        return Prediction(integers, votes, counted, told.fraction_bits, told.classes)
