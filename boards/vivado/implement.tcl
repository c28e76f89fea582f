# From NAME.synth.dcp to NAME.bit, with NAME.hwh beside it, the reports, and the figures of
# vivado.json.
source settings.tcl

open_checkpoint $name.synth.dcp
opt_design
place_design
phys_opt_design
route_design
write_checkpoint -force $name.routed.dcp
report_timing_summary -file $name.timing.rpt
report_utilization -hierarchical -file $name.utilization.rpt
report_drc -file $name.drc.rpt

set setup [get_timing_paths -setup -max_paths 1 -nworst 1]
set hold [get_timing_paths -hold -max_paths 1 -nworst 1]
if {[get_property SLACK $hold] < 0} {
    puts "ERROR: the hold slack must be 0 ns at least, not [get_property SLACK $hold] ns"
    exit 1
}
write_bitstream -force vivado/$name.bit
set figures [open vivado.json w]
puts $figures [format {{"version": "%s", "period_ns": %s, "setup_slack_ns": %s, "hold_slack_ns": %s}} \
    [version -short] [get_property REQUIREMENT $setup] [get_property SLACK $setup] \
    [get_property SLACK $hold]]
close $figures
file copy -force $name.synth.hwh $name.hwh
file rename -force vivado/$name.bit $name.bit
close_design
