"""What the package ``nnunetv2`` gives for a folder and an image; run in its own environment.

    python nnunet_reference.py FOLDER IMAGE.nii.gz OUT.npz

Writes logits on the network's grid and labels on the image's, and exits with 1 if torchvision was
imported on the way: there is no build of it for our torch.
"""

import sys

import numpy as np
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor


def main() -> int:
    folder, image, out = sys.argv[1:]
    predictor = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(folder, None)
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    data, _, properties = DefaultPreprocessor(verbose=False).run_case(
        [image], None, plans, configuration, predictor.dataset_json
    )
    # The package adds patches up in half precision. In the corners of a volume, where the weights
    # are the smallest numbers there are, that is wrong by up to 0.5; single precision is not.
    torch.half = torch.float32
    logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data))
    labels = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, plans, configuration, predictor.label_manager, properties
    )
    np.savez(out, data=data, logits=logits.numpy().astype(np.float32), labels=np.asarray(labels))
    return int("torchvision" in sys.modules)


if __name__ == "__main__":
    sys.exit(main())
