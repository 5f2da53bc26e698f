// Stands between the program and the C library, and makes a chosen call fail or kill the process there. Loaded with
// LD_PRELOAD; what it does is told through a file that the harness maps too:
//
//     SALINAN_FAULTS=/path/control SALINAN_UNDO=/path/undo LD_PRELOAD=./shim.so salinan serve ..
//
// Counted are calls on the ledger's files (their names begin with `ledger.`) and on connections of requesters (their own
// port is `port`). Built by the tests; no part of the program.
//
// Where an undo file is named, each change of the ledger's files is noted there, with what stood in its place, until a sync
// makes it durable. So the harness can leave behind what a power cut would: the synced bytes, and of the others any.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SYNC, WRITE, SEND, MOVE, KINDS };
enum { NOTHING, FAIL_ONCE, FAIL_ON, KILL_BEFORE, KILL_AFTER, HALF, LIE_ON };

struct control {
    uint32_t armed;    // whether calls are counted and fail
    uint32_t port;     // of the listener
    uint32_t kind;     // which kind is to fail
    uint32_t at;       // which call of it, from 1
    uint32_t action;   // what then
    uint32_t error;    // the errno of a failing call
    uint32_t hits;     // calls that failed
    uint32_t counts[KINDS];
};

static struct control *control;
static int undo = -1;
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SALINAN_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) control = at;
        close(fd);
    }
    path = getenv("SALINAN_UNDO");
    if (path) undo = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

// The path of one of the ledger's files, or NULL.
static const char *ledger_file(int fd, char path[512]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 511);
    if (length <= 0) return NULL;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/ledger.", 8) == 0 && !strstr(name, "-shm") ? path : NULL;
}

static int is_requester(int fd) {
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &length) == 0 && own.sin_family == AF_INET &&
           ntohs(own.sin_port) == control->port;
}

// What is to happen to this call; counted if so.
static int due(int kind) {
    uint32_t number = __atomic_add_fetch(&control->counts[kind], 1, __ATOMIC_SEQ_CST);
    if (control->kind != (uint32_t)kind || control->at == 0) return NOTHING;
    int is_on = control->action == FAIL_ON || control->action == LIE_ON;
    int is_due = is_on ? number >= control->at : number == control->at;
    if (!is_due) return NOTHING;
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    if (control->action == KILL_BEFORE) kill(getpid(), SIGKILL);
    return (int)control->action;
}

static int armed_file(int fd) {
    char path[512];
    return control && control->armed && ledger_file(fd, path) != NULL;
}

static int armed_requester(int fd) { return control && control->armed && is_requester(fd); }

static int fails(int action) {
    if (action != FAIL_ONCE && action != FAIL_ON) return 0;
    errno = (int)control->error;
    return 1;
}

static void after(int action) {
    if (action == KILL_AFTER) kill(getpid(), SIGKILL);
}

// Notes of the undo file: kind, length of path, offset, old size of the file, length of old and new bytes; then those three.
struct note {
    uint32_t kind, path, old, new;
    uint64_t offset, size;
};

static void note(uint32_t kind, int fd, uint64_t offset, const void *new, size_t length) {
    char path[512];
    if (undo < 0 || !ledger_file(fd, path)) return;
    struct stat stat;
    if (fstat(fd, &stat) != 0) return;
    struct note head = {kind, (uint32_t)strlen(path), 0, (uint32_t)length, offset, (uint64_t)stat.st_size};
    char *old = NULL;
    if (kind != SYNC && (uint64_t)stat.st_size > offset) {
        uint64_t wanted = (uint64_t)stat.st_size - offset;
        if (kind == WRITE && wanted > length) wanted = length;
        old = malloc(wanted);
        // The descriptor may be for writing only.
        int reader = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = reader >= 0 && old ? pread(reader, old, wanted, (off_t)offset) : 0;
        if (reader >= 0) close(reader);
        head.old = got > 0 ? (uint32_t)got : 0;
    }
    struct iovec parts[] = {{&head, sizeof head}, {path, head.path}, {old, head.old}, {(void *)new, length}};
    REAL(writev);
    pthread_mutex_lock(&undo_lock);
    if (real(undo, parts, 4) < 0) abort();
    pthread_mutex_unlock(&undo_lock);
    free(old);
}

#define SYNCS(name) \
    int name(int fd) { \
        REAL(name); \
        int action = armed_file(fd) ? due(SYNC) : NOTHING; \
        if (fails(action)) return -1; \
        if (action == LIE_ON) return 0; \
        int result = real(fd); \
        if (result == 0) note(SYNC, fd, 0, NULL, 0); \
        after(action); \
        return result; \
    }
SYNCS(fsync)
SYNCS(fdatasync)

#define PWRITES(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type offset) { \
        REAL(name); \
        int action = armed_file(fd) ? due(WRITE) : NOTHING; \
        if (fails(action)) return -1; \
        if (action == HALF) length /= 2; \
        note(WRITE, fd, (uint64_t)offset, bytes, length); \
        ssize_t result = real(fd, bytes, length, offset); \
        after(action); \
        return result; \
    }
PWRITES(pwrite, off_t)
PWRITES(pwrite64, off64_t)

#define TRUNCATES(name, size_type) \
    int name(int fd, size_type size) { \
        REAL(name); \
        int action = armed_file(fd) ? due(MOVE) : NOTHING; \
        if (fails(action)) return -1; \
        note(MOVE, fd, (uint64_t)size, NULL, 0); \
        int result = real(fd, size); \
        after(action); \
        return result; \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(rename);
    int is_ledger = control && control->armed && strstr(to, "/ledger.");
    int action = is_ledger ? due(MOVE) : NOTHING;
    if (fails(action)) return -1;
    int result = real(from, to);
    after(action);
    return result;
}

// Files written in one go, such as the anchor, and sockets.
ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    int action = NOTHING;
    if (control && control->armed) {
        if (armed_file(fd)) action = due(WRITE);
        else if (is_requester(fd)) action = due(SEND);
    }
    if (fails(action)) return -1;
    if (action == HALF && length > 1) length /= 2;
    ssize_t result = real(fd, bytes, length);
    after(action);
    return result;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send);
    int action = armed_requester(fd) ? due(SEND) : NOTHING;
    if (fails(action)) return -1;
    if (action == HALF && length > 1) length /= 2;
    ssize_t result = real(fd, bytes, length, flags);
    after(action);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    int action = armed_requester(fd) ? due(SEND) : NOTHING;
    if (fails(action)) return -1;
    if (action == HALF && count > 1) count /= 2;
    ssize_t result = real(fd, parts, count);
    after(action);
    return result;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL(sendmsg);
    int action = armed_requester(fd) ? due(SEND) : NOTHING;
    if (fails(action)) return -1;
    ssize_t result = real(fd, message, flags);
    after(action);
    return result;
}
