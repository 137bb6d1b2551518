/* A time of day that can be set, for a process that is started with LD_PRELOAD, where libfaketime is not installed: the
 * file $FAKETIME_TIMESTAMP_FILE says by how many seconds it is ahead, such as +3600. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    const char *name = getenv("FAKETIME_TIMESTAMP_FILE");
    if (result != 0 || clock != CLOCK_REALTIME || !name) return result;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return result;
    char text[32] = "";
    if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
    close(file);
    return result;
}
