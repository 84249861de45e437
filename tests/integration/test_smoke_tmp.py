import asyncpg, asyncio, os
async def test_a(stack, new_database, new_topics):
    url = await new_database("booking")
    c = await asyncpg.connect(url, ssl=False); await c.execute("create extension btree_gist"); await c.close()
    print(await new_topics())
async def test_b(stack):
    await stack.install()
    await stack.start_standin("polar")
    u = await stack.start("booking", "api")
    w = await stack.start("booking", "worker", name="booking-worker")
    print(u, w, stack.processes.names())
    await stack.kill("booking"); await stack.kill("kafka"); await stack.start_kafka(); await stack.kill("postgres"); await stack.start_postgres(); await stack.stop("booking-worker")
