# Spack: in a repository of packages as packages/posweep/package.py, then, in a clone of posweep,
#   spack dev-build posweep@0.1.0
from spack.package import *


class Posweep(CMakePackage):
    """Open MPI sweep runner for preference-optimisation research: which part of a loss moves the
    model towards what it finally says."""

    version("0.1.0")

    variant("native", default=True, description="tune for the processor of the building machine")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("cmake@3.22:", type="build")
    depends_on("pkgconf", type="build")
    depends_on("git", type="build")
    depends_on("openmpi")
    depends_on("hdf5@1.10:+mpi+hl")
    depends_on("netlib-scalapack")
    depends_on("openblas")
    depends_on("libfyaml")
    depends_on("jansson")
    depends_on("pcre2+jit")
    depends_on("utf8proc")
    depends_on("xxhash")
    depends_on("zlib")
    depends_on("gsl")
    depends_on("random123")
    depends_on("cmocka", type="test")
    depends_on("python", type="test")
    depends_on("py-h5py", type="test")

    def cmake_args(self):
        return [
            self.define_from_variant("PSW_NATIVE", "native"),
            self.define("PSW_TESTS", self.run_tests),
            # Spack's BLAS and ScaLAPACK come without the names that Debian gives them.
            self.define("BLAS_LIBRARIES", self.spec["blas"].libs),
            self.define("BLAS_INCLUDE_DIRS", self.spec["blas"].headers.directories),
            self.define("SCALAPACK_LIBRARIES", self.spec["scalapack"].libs),
        ]
