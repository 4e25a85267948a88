"""Data sets and transforms that the hosts lack, registered when a registry is first asked for one.

Reading pictures and the files of a data set needs no host.
"""

from sacm_mm.exports import registered_in

__getattr__ = registered_in(__name__)
