"""Makes the operator vectors beside this file, all or those of the families named.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6 tflite-micro==0.dev20261023182759
    python generate.py [linear | reduction | movement | elementwise | signal_ops]...

A family is a file with a function `make`; `forge.py` has what they share and says how vectors are written.
"""

import importlib
import sys

FAMILIES = ["linear", "reduction", "movement", "elementwise", "signal_ops"]

for family in sys.argv[1:] or FAMILIES:
    importlib.import_module(family).make()
