"""Physical sources of randomness: phase-change memory and magnetic tunnel junctions.

Floating point lives here, and ends here: what a chip does reaches golden as integer codes, or as
the +1 and -1 that its comparators read (`golden.source`). docs/devices.md explains the models.
"""
