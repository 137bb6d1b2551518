/* A disk that fails, for a process that is started with LD_PRELOAD: it concerns the files below $DISK_ROOT.
 *
 * $DISK_JOURNAL: every operation is written down there, a line each, so that afterwards one can tell what a power loss
 * would have left (`power.py`):
 *     W path offset bytes      before it is written
 *     S path                   after it was synchronized
 *     C path                   after it was made
 *     U path kept              before it is unlinked; its content stays at `kept`
 *     R from to                before it is renamed
 * $DISK_QUOTA: bytes that the files of a directory may have together; beyond it there is no space.
 * $DISK_SLOW: so many milliseconds each synchronization takes.
 * $DISK_FAILS: a file with two numbers. From it being there, the so many-th operation that changes something, and each
 * after it, fails with that errno.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long operations, kept_files;

static int below_root(const char *path) {
    const char *root = getenv("DISK_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below_root(path);
}

static void note(const char *format, ...) {
    static int journal = -2;
    const char *name = getenv("DISK_JOURNAL");
    if (!name) return;
    if (journal == -2) journal = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char line[2 * PATH_MAX + 64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    syscall(SYS_write, journal, line, (size_t)length);
}

/* Whether the operation that is asked for has to fail. */
static int fails(void) {
    const char *name = getenv("DISK_FAILS");
    int file = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        atomic_store(&operations, 0);
        return 0;
    }
    char text[64] = "";
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    long at = 0;
    int number = EIO;
    sscanf(text, "%ld %d", &at, &number);
    if (atomic_fetch_add(&operations, 1) + 1 < at) return 0;
    errno = number;
    return 1;
}

/* Whether a file and those beside it may not grow by so many bytes. */
static int is_full(const char *path, long long end) {
    const char *quota = getenv("DISK_QUOTA");
    struct stat file;
    if (!quota) return 0;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", path);
    *strrchr(name, '/') = 0;
    long long used = end - (stat(path, &file) == 0 && file.st_size < end ? file.st_size : end);
    DIR *directory = opendir(name);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode)) used += file.st_size;
    if (directory) closedir(directory);
    errno = ENOSPC;
    return used > atoll(quota);
}

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) {
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        if (fails()) {
            int why = errno;
            NEXT(pwrite64)(fd, data, bytes / 2, offset); /* as a full disk does: the first pages had room */
            errno = why;
            return -1;
        }
        if (is_full(path, offset + bytes)) return -1;
        note("W %s %lld %zu\n", path, (long long)offset, bytes);
    }
    return NEXT(pwrite64)(fd, data, bytes, offset);
}

ssize_t write(int fd, const void *data, size_t bytes) {
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        if (fails() || is_full(path, lseek64(fd, 0, SEEK_CUR) + bytes)) return -1;
        note("W %s %lld %zu\n", path, (long long)lseek64(fd, 0, SEEK_CUR), bytes);
    }
    return NEXT(write)(fd, data, bytes);
}

static int synchronize(int fd, int (*call)(int)) {
    char path[PATH_MAX];
    int ours = path_of(fd, path);
    if (ours && fails()) return -1;
    if (ours && getenv("DISK_SLOW")) usleep(1000 * atoi(getenv("DISK_SLOW")));
    int result = call(fd);
    if (ours && result == 0) note("S %s\n", path);
    return result;
}

int fsync(int fd) { return synchronize(fd, NEXT(fsync)); }

int fdatasync(int fd) { return synchronize(fd, NEXT(fdatasync)); }

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    int makes = (flags & O_CREAT) && below_root(path) && access(path, F_OK) != 0;
    if (makes && fails()) return -1;
    /* A file system that cannot be written does not even open what is there. */
    if (!makes && below_root(path) && (flags & O_ACCMODE) != O_RDONLY && fails()) {
        if (errno == EROFS) return -1;
    }
    int fd = NEXT(open64)(path, flags, mode);
    if (makes && fd >= 0) note("C %s\n", path);
    return fd;
}

int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    if (path_of(fd, path) && fails()) return -1;
    return NEXT(ftruncate64)(fd, length);
}

int unlink(const char *path) {
    if (below_root(path) && getenv("DISK_JOURNAL")) {
        char kept[PATH_MAX];
        snprintf(kept, sizeof kept, "%s.%ld.kept", getenv("DISK_JOURNAL"), atomic_fetch_add(&kept_files, 1));
        if (link(path, kept) == 0) note("U %s %s\n", path, kept);
    }
    return NEXT(unlink)(path);
}

int rename(const char *from, const char *to) {
    if (below_root(from)) {
        if (fails()) return -1;
        note("R %s %s\n", from, to);
    }
    return NEXT(rename)(from, to);
}
