"""Where model weights and checkpoints lie, and the Job that brings a model there.

In AWS: `model_weights` (EFS), `data_bucket` (S3), `lustre_file_system` (FSx). In the cluster: `weight_volumes` and
`mountpoint_volumes`, `model_download`, `local_model_cache`, `checkpoint_store`. `download.py` and `checkpoint_copy.py`
are scripts that run in pods, with nothing but the standard library.
"""
