/* Stands between a process and the C library, loaded by LD_PRELOAD: makes syncs slow, or leaves them out, and moves the time
 * of day. For tests of the service against a bad disk and a bad clock; no part of the service.
 *
 * MEDDLE_SYNC_MS    milliseconds that every fsync and fdatasync takes longer
 * MEDDLE_SYNC_NONE  when set, fsync and fdatasync do nothing: what a power cut then takes shows that the test can fail
 * MEDDLE_SYNCS      a file that every fsync and fdatasync makes a byte longer, so that its length is their number
 * MEDDLE_CLOCK      a file whose text is the seconds that the time of day is moved by; read at each look, absent is 0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void counted(const char *path) {
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    ssize_t ignored = write(file, ".", 1);
    (void)ignored;
    close(file);
}

static int sync_as_told(long call, int descriptor) {
    const char *syncs = getenv("MEDDLE_SYNCS");
    if (syncs) counted(syncs);
    if (getenv("MEDDLE_SYNC_NONE")) return 0;
    const char *more = getenv("MEDDLE_SYNC_MS");
    if (more) {
        long milliseconds = atol(more);
        struct timespec wait = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
        nanosleep(&wait, NULL);
    }
    return (int)syscall(call, descriptor);
}

int fsync(int descriptor) { return sync_as_told(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return sync_as_told(SYS_fdatasync, descriptor); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    const char *path = getenv("MEDDLE_CLOCK");
    if (result != 0 || clock != CLOCK_REALTIME || !path) return result;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return result;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    close(file);
    return result;
}
