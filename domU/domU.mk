# The Linux module.
