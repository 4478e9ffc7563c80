/* A disk that remembers and fails, for tests: LD_PRELOADed, it sees every change of a file below DISK_ROOT.
 *
 * DISK_LOG=FILE    every operation that succeeded is appended there, in order, with its data (see log.py)
 * DISK_SYNC_MS=N   every sync takes so much longer
 * disk_arm(n, error, stays)   the n-th operation from now on fails with `error`; with `stays` all later ones too;
 *                             a negative error is a signal that ends the process before the operation
 *
 * Descriptors are told by /proc/self/fd, so no table of them has to be kept over dup and fork.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR };

struct record {
    uint8_t op;
    uint8_t pad[3];
    uint32_t path_length;
    int64_t offset;
    uint64_t length;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long armed_at;
static int armed_error;
static int armed_stays;
static long seen;
static int log_fd = -1;
static pid_t log_pid;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

void disk_arm(long n, int error, int stays) {
    armed_at = n;
    armed_error = error;
    armed_stays = stays;
    seen = 0;
}

long disk_seen(void) { return seen; }

static ssize_t real_write(int fd, const void *data, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, data, length);
}

static int is_ours(const char *path) {
    const char *root = getenv("DISK_ROOT");
    return root && strncmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/';
}

static int is_root(const char *path) {
    const char *root = getenv("DISK_ROOT");
    return root && strcmp(path, root) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path) || is_root(path);
}

/* What the outside was told is no part of the disk. */
static int is_told(const char *path) {
    size_t length = strlen(path);
    return length >= 5 && strcmp(path + length - 5, "/ACKS") == 0;
}

/* Called with the lock held: whether this operation is to fail. A full disk still takes what frees space. */
static int fails(const char *path, int frees) {
    if (is_told(path)) return 0;
    seen++;
    if (!armed_at || seen < armed_at || (seen > armed_at && !armed_stays)) return 0;
    if (armed_error < 0) kill(getpid(), -armed_error);
    if (frees && armed_error == ENOSPC) return 0;
    errno = armed_error;
    return 1;
}

static void put(int op, const char *path, int64_t offset, const void *data, uint64_t length) {
    const char *name = getenv("DISK_LOG");
    if (!name) return;
    if (log_fd < 0 || log_pid != getpid()) {
        REAL(int, "open", const char *, int, ...);
        log_fd = real(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        log_pid = getpid();
    }
    const char *below = is_root(path) ? "." : path + strlen(getenv("DISK_ROOT")) + 1;
    struct record record = {op, {0}, (uint32_t)strlen(below), offset, length};
    size_t size = sizeof record + record.path_length + (data ? length : 0);
    char *whole = malloc(size);
    memcpy(whole, &record, sizeof record);
    memcpy(whole + sizeof record, below, record.path_length);
    if (data) memcpy(whole + sizeof record + record.path_length, data, length);
    if (real_write(log_fd, whole, size) != (ssize_t)size) abort();
    free(whole);
}

#define OPERATION(is_one, path, frees, failed, call, done) \
    if (!(is_one)) return call; \
    pthread_mutex_lock(&lock); \
    if (fails(path, frees)) { \
        pthread_mutex_unlock(&lock); \
        return failed; \
    } \
    __auto_type result = call; \
    int kept = errno; \
    if (result >= 0) { done; } \
    pthread_mutex_unlock(&lock); \
    errno = kept; \
    return result

/* --- data ------------------------------------------------------------------------------------------------------- */

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    char path[PATH_MAX];
    OPERATION(path_of(fd, path), path, 0, -1, real(fd, data, length, offset), put(WRITE, path, offset, data, result));
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return pwrite(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    OPERATION(path_of(fd, path), path, 0, -1, real_write(fd, data, length),
              put(WRITE, path, lseek(fd, 0, SEEK_CUR) - result, data, result));
}

int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    char path[PATH_MAX];
    OPERATION(path_of(fd, path), path, 1, -1, real(fd, length), put(TRUNCATE, path, length, NULL, 0));
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int synced(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char path[PATH_MAX];
    const char *slow = getenv("DISK_SYNC_MS");
    if (slow && path_of(fd, path)) usleep(atoi(slow) * 1000);
    OPERATION(path_of(fd, path), path, 0, -1, real(fd), put(SYNC, path, 0, NULL, 0));
}

int fsync(int fd) { return synced("fsync", fd); }

int fdatasync(int fd) { return synced("fdatasync", fd); }

/* --- names ------------------------------------------------------------------------------------------------------ */

static int opened(const char *path, int flags, mode_t mode) {
    REAL(int, "open", const char *, int, ...);
    struct stat status;
    int is_new = path[0] == '/' && is_ours(path) && (flags & O_CREAT) && stat(path, &status) != 0;
    int empties = path[0] == '/' && is_ours(path) && (flags & O_TRUNC);
    OPERATION(is_new || empties, path, 0, -1, real(path, flags, mode), 
              put(is_new ? CREATE : TRUNCATE, path, 0, NULL, 0));
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    /* the data is the new name, below the root as well */
    OPERATION(is_ours(from), from, 0, -1, real(from, to),
              put(RENAME, from, 0, to + strlen(getenv("DISK_ROOT")) + 1, strlen(to) - strlen(getenv("DISK_ROOT")) - 1));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    OPERATION(is_ours(path), path, 1, -1, real(path), put(UNLINK, path, 0, NULL, 0));
}

int remove(const char *path) {
    REAL(int, "remove", const char *);
    OPERATION(is_ours(path), path, 1, -1, real(path), put(UNLINK, path, 0, NULL, 0));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    OPERATION(is_ours(path), path, 0, -1, real(path, mode), put(MKDIR, path, 0, NULL, 0));
}

/* Space that is only asked for; who is refused it writes without. */
int fallocate(int fd, int mode, off_t offset, off_t length) {
    char path[PATH_MAX];
    REAL(int, "fallocate", int, int, off_t, off_t);
    if (!path_of(fd, path)) return real(fd, mode, offset, length);
    errno = EOPNOTSUPP;
    return -1;
}
