"""Trains the main job's model with scikit-learn: into a pickle, and into an MLflow registry in SQLite.

train.py PICKLE, with MLFLOW_TRACKING_URI set.
"""

import pickle
import sys

import mlflow
import pandas
from mlflow.models import infer_signature
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression

rows, target = make_regression(n_samples=100, n_features=3, noise=0.1, random_state=42)
bare = LinearRegression().fit(rows, target)
with open(sys.argv[1], "wb") as file:
    pickle.dump(bare, file)

frame = pandas.DataFrame(rows, columns=["feature1", "feature2", "feature3"])
model = LinearRegression().fit(frame, target)
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(frame, target),
        input_example=frame.head(1),
        registered_model_name="linear_regression_model",
    )
mlflow.MlflowClient().set_registered_model_alias("linear_regression_model", "production", 1)
