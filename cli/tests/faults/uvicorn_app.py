"""A replica of the replaced kind: FastAPI on uvicorn, both with their defaults. It answers a request's own body."""

import asyncio

from fastapi import FastAPI, Request, Response

app = FastAPI()
reached = 0


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/count")
async def count():
    return reached


@app.post("/predict")
async def predict(request: Request):
    global reached
    reached += 1
    body = await request.body()
    await asyncio.sleep(0.02)
    return Response(body)
