"""The pipeline on AWS: packaged, deployed, watched, scaled and removed."""
