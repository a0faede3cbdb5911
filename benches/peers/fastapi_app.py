"""The replica that is replaced: FastAPI on uvicorn, a scikit-learn model, by hand or through MLflow.

MODEL=bare loads the pickle beside it, MODEL=mlflow asks the registry at MLFLOW_TRACKING_URI for the version in its
alias and loads it with `mlflow.pyfunc`, as the replaced system did. Handlers are coroutines: no hand-over to a thread,
the cheapest way there is.
"""

import os
import pickle

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()


class Features(BaseModel):
    feature1: float
    feature2: float
    feature3: float


class Prediction(BaseModel):
    prediction: float


if os.environ["MODEL"] == "mlflow":
    import mlflow.pyfunc
    import numpy

    # Logged without a signature, which costs MLflow nothing to enforce: with one, a prediction takes four times as long.
    model = mlflow.pyfunc.load_model("models:/linear_regression_model@production")

    def ask(features):
        return model.predict(numpy.array([[features.feature1, features.feature2, features.feature3]]))
else:
    with open(os.environ["PICKLE"], "rb") as file:
        model = pickle.load(file)

    def ask(features):
        return model.predict([[features.feature1, features.feature2, features.feature3]])


@app.get("/health")
async def health():
    return {"status": "ok", "model_loaded": model is not None}


@app.post("/predict", response_model=Prediction)
async def predict(features: Features):
    try:
        return {"prediction": float(ask(features)[0])}
    except Exception as error:
        raise HTTPException(status_code=500, detail=f"Prediction error: {error}") from error
