"""Trains the main job's model with scikit-learn: into a pickle, and into an MLflow registry in SQLite.

train.py PICKLE, with MLFLOW_TRACKING_URI set.
"""

import pickle
import sys

import mlflow
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression

rows, target = make_regression(n_samples=100, n_features=3, noise=0.1, random_state=42)
bare = LinearRegression().fit(rows, target)
with open(sys.argv[1], "wb") as file:
    pickle.dump(bare, file)

with mlflow.start_run():
    mlflow.sklearn.log_model(bare, name="model", registered_model_name="linear_regression_model")
mlflow.MlflowClient().set_registered_model_alias("linear_regression_model", "production", 1)
