"""Building blocks shared by the models. Arrays are NHWC; parameters are float32."""
