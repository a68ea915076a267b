#!/usr/bin/env python3
"""The peer of `load`: a grpc-python server on a Unix socket that answers every call of /plaw.Bench/Ask with the same bytes.

    pip install grpcio
    Benchmarks/peers/constant_grpc.py --socket /tmp/peer.sock --bytes 5800 [--aio]

No protobuf is involved: requests are not looked at, answers are made beforehand. Prints `ready`.
"""
import argparse, asyncio, concurrent.futures, signal

import grpc

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--socket", required=True)
parser.add_argument("--bytes", type=int, required=True)
parser.add_argument("--threads", type=int, default=4)
parser.add_argument("--aio", action="store_true", help="grpc.aio instead of a pool of threads")
a = parser.parse_args()
answer = b"x" * a.bytes


def handlers(method):
    return grpc.method_handlers_generic_handler("plaw.Bench", {"Ask": grpc.unary_unary_rpc_method_handler(method)})


async def serve():
    async def ask(request, context):
        return answer

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handlers(ask),))
    server.add_insecure_port("unix:" + a.socket)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if a.aio:
    asyncio.run(serve())
else:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(a.threads))
    server.add_generic_rpc_handlers((handlers(lambda request, context: answer),))
    server.add_insecure_port("unix:" + a.socket)
    server.start()
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    server.stop(0)
