"""The llama.cpp server of xllamacpp on a port of its own: prints the address, then serves."""

import sys
import time

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx = 2048
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.verbosity = -1
parameters.api_keys = [sys.argv[2]]
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
time.sleep(3600)
