"""Which parts of estimators have a converter here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes as classifier,
)
from skl2onnx.common.shape_calculator import (
    calculate_linear_regressor_output_shapes as regressor,
)
from skl2onnx.shape_calculators.imputer import calculate_sklearn_imputer_output_shapes as same
from skl2onnx.shape_calculators.k_bins_discretiser import (
    calculate_sklearn_k_bins_discretiser as bins,
)
from sklearn import ensemble, impute, preprocessing, tree

from spark_infer.backends.sklearn.converters.bins import convert_binarizer, convert_bins
from spark_infer.backends.sklearn.converters.boosting import convert_gradient, convert_histogram
from spark_infer.backends.sklearn.converters.forest import convert_classifier, convert_regressor
from spark_infer.backends.sklearn.converters.imputer import convert_imputer

_CLASSIFIERS = {
    tree.DecisionTreeClassifier: convert_classifier,
    tree.ExtraTreeClassifier: convert_classifier,
    ensemble.RandomForestClassifier: convert_classifier,
    ensemble.ExtraTreesClassifier: convert_classifier,
    ensemble.GradientBoostingClassifier: convert_gradient,
    ensemble.HistGradientBoostingClassifier: convert_histogram,
}
_REGRESSORS = {
    tree.DecisionTreeRegressor: convert_regressor,
    tree.ExtraTreeRegressor: convert_regressor,
    ensemble.RandomForestRegressor: convert_regressor,
    ensemble.ExtraTreesRegressor: convert_regressor,
    ensemble.GradientBoostingRegressor: convert_gradient,
    ensemble.HistGradientBoostingRegressor: convert_histogram,
}
CONVERTERS: dict[type, Callable[[Any, Any, Any], None]] = {
    **_CLASSIFIERS,
    **_REGRESSORS,
    impute.SimpleImputer: convert_imputer,
    preprocessing.Binarizer: convert_binarizer,
    preprocessing.KBinsDiscretizer: convert_bins,
}
"""What adds the nodes of a part, by its class."""
SHAPES: dict[type, Callable[[Any], None]] = {
    **dict.fromkeys(_CLASSIFIERS, classifier),
    **dict.fromkeys(_REGRESSORS, regressor),
    impute.SimpleImputer: same,
    preprocessing.Binarizer: same,
    preprocessing.KBinsDiscretizer: bins,
}
"""What tells the types of its outputs."""
