"""The replica of the replaced system: FastAPI on uvicorn, the model through mlflow.pyfunc.

    MODEL=/path/of/model uvicorn app:app --port 8001 --no-access-log
"""

import os

import mlflow.pyfunc
import pandas as pd
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
model = mlflow.pyfunc.load_model(os.environ["MODEL"])


class Features(BaseModel):
    feature1: float
    feature2: float
    feature3: float


@app.get("/health")
def health():
    return {"status": "ok", "model_loaded": True}


@app.post("/predict")
def predict(features: Features):
    try:
        rows = pd.DataFrame([features.model_dump()])
        return {"prediction": float(model.predict(rows)[0])}
    except Exception as error:
        raise HTTPException(status_code=500, detail=f"Prediction error: {error}")
