/* Notes how much of which file is on disk, for each fsync and fdatasync that has succeeded: in a file of its own,
   DEVICE-INODE in the folder CHAOS_SYNCED, as small files can be written where no process may write large ones. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(const struct stat *file) {
  const char *folder = getenv("CHAOS_SYNCED");
  char path[4096], size[32];
  if (folder == NULL) return;
  snprintf(path, sizeof path, "%s/%lu-%lu", folder, (unsigned long)file->st_dev, (unsigned long)file->st_ino);
  int length = snprintf(size, sizeof size, "%020ld", (long)file->st_size);
  int notes = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (notes < 0) return; /* then it counts as not synced, which is the strict side */
  if (pwrite(notes, size, length, 0) != length) unlink(path);
  close(notes);
}

static int synced(const char *name, int descriptor) {
  struct stat before; /* what another thread writes meanwhile may not be on disk */
  int known = fstat(descriptor, &before) == 0 && S_ISREG(before.st_mode);
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int result = real(descriptor);
  if (result == 0 && known) note(&before);
  return result;
}

int fsync(int descriptor) { return synced("fsync", descriptor); }

int fdatasync(int descriptor) { return synced("fdatasync", descriptor); }
