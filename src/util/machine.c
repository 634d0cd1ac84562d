/* Asked of the system. */
#include <posweep/util/machine.h>

#include <unistd.h>

double psw_machine_bytes(void)
{
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}
