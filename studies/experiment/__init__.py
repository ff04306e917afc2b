"""What an experiment is: pure values and one training function a model."""
