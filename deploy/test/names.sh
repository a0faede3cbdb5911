# The images of the tests, by the variables that the compose files take them from.
export MARTELLO_IMAGE=${MARTELLO_IMAGE:-martello-test:latest} MLFLOW_IMAGE=${MLFLOW_IMAGE:-martello-test-mlflow:latest}
