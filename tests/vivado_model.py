"""Vivado as far as the scripts of `boards.vivado` go: Tcl runs them, its commands are here.

Only commands, options and properties that the vendor's guides have (UG835, UG994, UG1118) are
known; anything else is an error. Ports come from the Verilog that is packaged, pins of the
processor from its configuration. What Vivado would write is written, with the model's own content.

Run as a program, it takes Vivado's options. The environment variable ``STOP_AT`` names a command
that fails, and ``SLACKS`` gives the slacks for setup and hold.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vivado_commands import BOARD_PARTS, BUSES, FORMS, PROPERTIES, PS7, RESET

Options = dict[str, str]
COMMANDS = {line.split()[0]: line.split()[1:] for line in FORMS.strip().splitlines()}
OBJECTS = {"-of_objects", "-target_address_space", "-files"}
"""Options whose value is an object."""
ANSWERS = {
    "current_project": "project:",
    "current_fileset": "fileset:",
    "ipx::current_core": "core:",
    "ipx::get_memory_maps": "memory:inferred",
    "version": "2024.1",
}
"""Of commands that always give the same; the others give nothing."""
SHELL = """
rename puts write
proc puts args {
    if {[llength $args] > 1} {return [write {*}$args]}
    say [set ::said [lindex $args 0]]
}
proc exit code {return -code error $::said}
"""
"""What is said goes to the model, and the end of the script is not that of this process."""


class ModelError(Exception):
    """What Vivado would refuse."""


def ports_of(verilog: str, module: str) -> dict[str, tuple[str, int]]:
    """Return direction and width of every port of `module`."""
    start = f"\nmodule {module}("
    if start not in verilog:
        raise ModelError(f"no module {module}")
    body = verilog.partition(start)[2].partition("\nendmodule")[0]
    names = body.partition(");")[0].replace(",", " ").split()
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+) ?;$", body, re.MULTILINE)
    ports = {name: (direction, int(high or 0) + 1) for direction, high, name in declared}
    assert set(ports) == set(names)
    return ports


class Vivado:
    """One session, and what it has called.

    Objects are known to Tcl by a text: their kind, a colon, and their name.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], list[str]]] = []
        self.values: dict[tuple[str, str], str] = {}
        self.ports: dict[str, tuple[str, int]] = {}
        self.sources: list[str] = []
        self.cells: dict[str, str] = {}
        self.pins: dict[str, str] = {}
        self.nets: list[list[str]] = []
        self.addresses: dict[str, tuple[int, int]] = {}
        self.ip: dict[str, Any] = {}
        # Debian has it in a package of its own.
        import tkinter

        self.tcl, self.error = tkinter.Tcl(), tkinter.TclError
        self.tcl.eval("namespace eval ipx {}")
        self.tcl.createcommand("model", self._called)
        for name in COMMANDS:
            self.tcl.eval(
                f"proc {name} args {{lassign [model {name} {{*}}$args] good text; "
                "if {!$good} {return -code error $text}; return $text}"
            )
        self.tcl.createcommand("say", print)
        self.tcl.eval(SHELL)

    def source(self, script: str) -> None:
        """Run `script` in the working folder; raise `ModelError` where it stops."""
        try:
            self.tcl.eval(f"source {script}")
        except self.error as error:
            raise ModelError(str(error)) from None

    def named(self, command: str) -> list[tuple[dict[str, str], list[str]]]:
        return [(options, words) for name, options, words in self.calls if name == command]

    def _called(self, name: str, *arguments: str) -> tuple[bool, str]:
        try:
            return True, self._call(name, arguments)
        except ModelError as error:
            print(f"ERROR: [Model 1-1] {name}: {error}")
            return False, f"{name}: {error}"

    def _call(self, name: str, arguments: tuple[str, ...]) -> str:
        (count, *known), options, words = COMMANDS[name], dict[str, str](), list[str]()
        rest = iter(map(str, arguments))
        for word in rest:
            if not word.startswith("-"):
                words.append(word)
            elif f"{word}=" in known:
                options[word] = next(rest)
            elif word in known:
                options[word] = ""
            else:
                raise ModelError(f"unknown option {word}")
        least, _, most = count.partition("-")
        if not int(least) <= len(words) <= int(most or least):
            raise ModelError(f"{len(words)} words")
        if "" in words or "" in (
            options.get("-of_objects", " "),
            options.get("-target_address_space", " "),
        ):
            raise ModelError("an object that is not there")
        print(f"Command: {name}")
        if os.environ.get("STOP_AT") == name:
            raise ModelError("told to stop")
        self.calls.append((name, options, words))
        do: Callable[..., str] | None = getattr(self, f"do_{name.replace('::', '_')}", None)
        return do(options, *words) if do else ANSWERS.get(name, "")

    # Properties.

    def do_set_property(self, options: Options, *words: str) -> str:
        pairs = self.tcl.splitlist(options["-dict"]) if options else words[:2]
        target = words[-1]
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            kind = target.partition(":")[0]
            known = PROPERTIES.get(kind, "").split()
            if target.startswith("cell:processing_system7"):
                known = [f"CONFIG.{each}" for each in PS7]
            if name not in known:
                raise ModelError(f"{target} has no property {name}")
            self.values[target, str(name)] = str(value)
            for pin, direction in PS7.get(name.removeprefix("CONFIG."), {}).items():
                if value == "1":
                    self.pins[f"{target.removeprefix('cell:')}/{pin}"] = direction
        return ""

    def do_get_property(self, options: Options, name: str, target: str) -> str:
        kind, _, rest = target.partition(":")
        if name not in PROPERTIES[kind].split():
            raise ModelError(f"{target} has no property {name}")
        if kind == "path":
            setup, hold = os.environ.get("SLACKS", "0.5 0.03").split()
            return "10.000" if name == "REQUIREMENT" else {"setup": setup, "hold": hold}[rest]
        return rest if name == "name" else self.values[target, name]

    def do_close_project(self, options: Options) -> str:
        self.sources = []
        return ""

    def do_get_timing_paths(self, options: Options) -> str:
        return "path:hold" if "-hold" in options else "path:setup"

    def do_get_board_parts(self, options: Options, pattern: str) -> str:
        return BOARD_PARTS.get(pattern, "")

    # Packaging.

    def do_add_files(self, options: Options, path: str) -> str:
        if not Path(path).is_file():
            raise ModelError(f"no file {path}")
        self.sources.append(path)
        return ""

    def do_ipx_package_project(self, options: Options) -> str:
        (source,) = self.sources
        top = self.values["fileset:", "top"]
        self.ports = ports_of(Path(source).read_text(), top)
        self.ip = {"interfaces": {}, "memory": {}, "space": {}}
        self.ip["vlnv"] = f"{options['-vendor']}:{options['-library']}"
        Path(options["-root_dir"], "src").mkdir(parents=True)
        Path(options["-root_dir"], "src", Path(source).name).write_bytes(Path(source).read_bytes())
        return ""

    def do_ipx_remove_memory_map(self, options: Options, name: str, core: str) -> str:
        if (name, core) != ("inferred", "core:"):
            raise ModelError(name)
        return ""

    def do_ipx_get_ports(self, options: Options, name: str) -> str:
        return f"port:{name}" if name in self.ports else ""

    def do_ipx_add_bus_interface(self, options: Options, name: str, core: str) -> str:
        self.ip["interfaces"][name] = {"ports": [], "parameters": []}
        return f"interface:{name}"

    def _add(self, kind: str, name: str, interface: str) -> str:
        self.ip["interfaces"][interface.removeprefix("interface:")][f"{kind}s"].append(name)
        return f"{kind}:{interface.removeprefix('interface:')}/{name}"

    def do_ipx_add_port_map(self, options: Options, name: str, interface: str) -> str:
        return self._add("port", name, interface).replace("port:", "map:")

    def do_ipx_add_bus_parameter(self, options: Options, name: str, interface: str) -> str:
        return self._add("parameter", name, interface)

    def do_ipx_add_memory_map(self, options: Options, name: str, core: str) -> str:
        return f"memory:{name}"

    def do_ipx_add_address_block(self, options: Options, name: str, memory: str) -> str:
        return f"block:{memory.removeprefix('memory:')}/{name}"

    def do_ipx_add_address_space(self, options: Options, name: str, core: str) -> str:
        return f"space:{name}"

    def do_ipx_save_core(self, options: Options, core: str) -> str:
        """Write ``component.xml``, as JSON."""
        values, interfaces = self.values, self.ip["interfaces"]
        for name, each in interfaces.items():
            here = f"interface:{name}"
            each["mode"] = values[here, "interface_mode"]
            each["type"] = values[here, "abstraction_type_vlnv"].split(":")[2]
            assert each["type"] == values[here, "bus_type_vlnv"].split(":")[2] + "_rtl"
            maps = {key: values[f"map:{name}/{key}", "physical_name"] for key in each["ports"]}
            told = {key: values[f"parameter:{name}/{key}", "value"] for key in each["parameters"]}
            each |= {"ports": maps, "parameters": told}
        component = {
            "vlnv": f"{self.ip['vlnv']}:{values['core:', 'name']}:{values['core:', 'version']}",
            "ports": self.ports,
            "interfaces": interfaces,
            "segment": values["interface:s_axi", "slave_memory_map_ref"],
            "space": values["interface:m_axi", "master_address_space_ref"],
            "range": values["block:s_axi/reg0", "range"],
        }
        Path("ip/component.xml").write_text(json.dumps(component))
        return ""

    # The block design.

    def do_create_bd_cell(self, options: Options, name: str) -> str:
        vendor, _, block, version = options["-vlnv"].split(":")
        self.cells[name] = options["-vlnv"]
        if vendor != "xilinx.com":
            self.ip = json.loads(Path("ip/component.xml").read_text())
            if self.ip["vlnv"] != options["-vlnv"]:
                raise ModelError(f"no IP {options['-vlnv']}")
            kinds = {key: direction[0].upper() for key, (direction, _) in self.ip["ports"].items()}
            for key, each in self.ip["interfaces"].items():
                if each["type"] == "aximm_rtl":
                    kinds = {port: kinds[port] for port in kinds.keys() - each["ports"].values()}
                    kinds[key] = each["mode"]
            self.pins |= {f"{name}/{key}": kind for key, kind in kinds.items()}
        elif block == "proc_sys_reset" and version == "5.0":
            self.pins |= {f"{name}/{pin}": direction for pin, direction in RESET.items()}
        elif (block, version) != ("processing_system7", "5.5"):
            raise ModelError(f"no IP {options['-vlnv']}")
        return f"cell:{name}"

    def do_apply_bd_automation(self, options: Options, cell: str) -> str:
        if cell != "cell:processing_system7_0":
            raise ModelError(cell)
        pairs = self.tcl.splitlist(options["-config"])
        config = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if config["apply_board_preset"] == "1" and ("project:", "board_part") not in self.values:
            raise ModelError("no board")
        if config["make_external"] != "FIXED_IO, DDR":
            raise ModelError("pins of the processor that lead nowhere")
        return ""

    def do_get_bd_pins(self, options: Options, name: str) -> str:
        return name if self.pins.get(name) in ("I", "O") else ""

    def do_get_bd_intf_pins(self, options: Options, name: str) -> str:
        return name if self.pins.get(name) in ("master", "slave") else ""

    def do_create_bd_port(self, options: Options, name: str) -> str:
        # From inside, what leaves the design is driven.
        self.pins[f"/{name}"] = {"O": "I", "I": "O"}[options["-dir"]]
        return f"/{name}"

    def do_get_bd_ports(self, options: Options, name: str) -> str:
        return f"/{name}" if f"/{name}" in self.pins else ""

    def do_connect_bd_net(self, options: Options, *pins: str) -> str:
        if [self.pins[pin] for pin in pins].count("O") != 1:
            raise ModelError(f"one driver of {pins}")
        self.nets.append(list(pins))
        return ""

    def do_connect_bd_intf_net(self, options: Options, *pins: str) -> str:
        if sorted(self.pins[pin] for pin in pins) != ["master", "slave"]:
            raise ModelError(f"a master and a slave: {pins}")
        names = [pin.rpartition("/")[2] for pin in pins]
        bus, other = names if names[0] in BUSES else reversed(names)
        ours = self.ip["interfaces"][other]["parameters"]
        if any(ours[key] != value for key, value in BUSES[bus].items()):
            raise ModelError(f"{bus} is not like {other}")
        self.nets.append(list(pins))
        return ""

    def do_get_bd_addr_spaces(self, options: Options, name: str) -> str:
        own = [cell for cell, vlnv in self.cells.items() if vlnv == self.ip["vlnv"]]
        known = ["processing_system7_0/Data", *(f"{cell}/{self.ip['space']}" for cell in own)]
        return name if name in known else ""

    def do_get_bd_addr_segs(self, options: Options, name: str) -> str:
        own = [cell for cell, vlnv in self.cells.items() if vlnv == self.ip["vlnv"]]
        known = [f"{cell}/{self.ip['segment']}/reg0" for cell in own]
        known.append("processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM")
        return name if name in known else ""

    def do_assign_bd_address(self, options: Options, segment: str) -> str:
        offset, span = (int(options.get(key, "0"), 0) for key in ("-offset", "-range"))
        if segment.endswith("/reg0") and span != int(self.ip["range"], 0):
            raise ModelError(f"{segment}: {span} bytes")
        self.addresses[segment] = offset, span
        return ""

    def do_validate_bd_design(self, options: Options) -> str:
        connected = {pin for net in self.nets for pin in net}
        left = [pin for pin, kind in self.pins.items() if kind != "O" and pin not in connected]
        if left or len(self.addresses) != 2:
            raise ModelError(f"not connected: {left}, addresses: {self.addresses}")
        return ""

    def do_create_bd_design(self, options: Options, name: str) -> str:
        self.values["design", "name"] = name
        return ""

    def do_get_files(self, options: Options, name: str) -> str:
        return f"bd:{name}" if name == f"{self.values['design', 'name']}.bd" else ""

    def do_generate_target(self, options: Options, what: str, design: str) -> str:
        name = design.removeprefix("bd:").removesuffix(".bd")
        folder = Path("vivado/design/design.gen/sources_1/bd", name)
        for kind in ("hw_handoff", "hdl"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        placed = {key: hex(offset) for key, (offset, _) in self.addresses.items()}
        (folder / "hw_handoff" / f"{name}.hwh").write_text(json.dumps(placed))
        return ""

    def do_make_wrapper(self, options: Options) -> str:
        name = options["-files"].removeprefix("bd:").removesuffix(".bd")
        path = Path("vivado/design/design.gen/sources_1/bd", name, "hdl", f"{name}_wrapper.v")
        path.write_text(f"module {name}_wrapper;\n")
        return str(path)

    def do_synth_design(self, options: Options) -> str:
        if options["-top"] != Path(self.sources[0]).stem:
            raise ModelError(options["-top"])
        constrained = re.findall(r"get_ports (\w+)", Path(self.sources[1]).read_text())
        if {f"/{each}" for each in constrained} != {pin for pin in self.pins if pin[0] == "/"}:
            raise ModelError("pins that are not ports")
        return ""

    # What is written.

    def do_write_checkpoint(self, options: Options, path: str) -> str:
        Path(path).write_text(f"checkpoint {json.dumps(self.addresses)}")
        return ""

    def do_open_checkpoint(self, options: Options, path: str) -> str:
        return "" if Path(path).read_text().startswith("checkpoint") else "none"

    def do_write_bitstream(self, options: Options, path: str) -> str:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("bits")
        return ""

    def _report(self, options: Options) -> str:
        Path(options["-file"]).write_text("report")
        return ""

    do_report_timing_summary = do_report_utilization = do_report_drc = _report


def main(arguments: list[str]) -> int:
    """Run the script that Vivado's options name; the log gets what is said."""
    known = ["-mode", "batch", "-nojournal", "-notrace", "-applog", "-log"]
    assert arguments[:6] == known
    assert arguments[7] == "-source"
    answer = sys.stdout
    with Path(arguments[6]).open("a", buffering=1) as log:
        sys.stdout = log
        try:
            Vivado().source(arguments[8])
        except ModelError as error:
            said = str(error)
            start = "" if said.startswith("ERROR: ") else "ERROR: [Model 1-1] "
            answer.write(f"{start}{said}\n")
            return 1
    return 0
