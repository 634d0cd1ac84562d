// The last of the page: whatever the first figure did not need has been read.
if (HAS_VEGA) attempt(complete);
