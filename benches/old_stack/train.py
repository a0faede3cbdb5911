"""The training job of the replaced system, into a folder: python train.py FOLDER."""

import sys

import mlflow.sklearn
import pandas as pd
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression

x, y = make_regression(n_samples=100, n_features=3, noise=0.1, random_state=42)
frame = pd.DataFrame(x, columns=["feature1", "feature2", "feature3"])
mlflow.sklearn.save_model(LinearRegression().fit(frame, y), sys.argv[1], input_example=frame.head(1))
