/* A camera for programs that run with this library preloaded: no kernel module, no hardware.
 *
 * FAKE_CAMERA names a file that stands for the device; while it is not there the camera is unplugged. Its word
 * says what the camera is like: "mjpeg", "yuyv" (it has no JPEGs), "busy" (another program streams), "denied" or
 * "silent".
 * FAKE_PICTURES names a folder with 0.jpg, 1.jpg, …, which come one after the other, over and over.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 8, BYTES = 1 << 20, MICROSECONDS = 1000000 };

static int device = -1, width = 64, height = 48, rate = 30, number, queued, first;
static unsigned format = V4L2_PIX_FMT_YUYV;
static long long due_us;
static unsigned char *memory;

static long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * MICROSECONDS + now.tv_nsec / 1000;
}

static int is(const char *word)
{
    char told[16] = "";
    FILE *file = fopen(getenv("FAKE_CAMERA"), "r");
    if (file == NULL)
        return 0;
    int found = fscanf(file, "%15s", told) == 1 && strcmp(told, word) == 0;
    fclose(file);
    return found;
}

static int fails(int number_of_error)
{
    errno = number_of_error;
    return -1;
}

static int opened(const char *path, int flags, int mode)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int found = real(path, flags, mode);
    if (getenv("FAKE_CAMERA") == NULL || strcmp(path, getenv("FAKE_CAMERA")) != 0 || found < 0)
        return found;
    if (flags & O_WRONLY || !(flags & O_NONBLOCK)) /* its file read by this library, or who would block */
        return found;
    if (is("denied")) {
        close(found);
        return fails(EACCES);
    }
    number = queued = first = 0;
    return device = found;
}

#define OPEN(name)                              \
    int name(const char *path, int flags, ...)  \
    {                                           \
        va_list rest;                           \
        va_start(rest, flags);                  \
        int mode = va_arg(rest, int);           \
        va_end(rest);                           \
        return opened(path, flags, mode);       \
    }
OPEN(open)
OPEN(open64)

static int picture(unsigned char *into)
{
    char path[4096];
    if (format == V4L2_PIX_FMT_YUYV) {
        memset(into, 128, width * height * 2);
        return width * height * 2;
    }
    for (int tries = 0; tries < 2; tries++, number = 0) {
        snprintf(path, sizeof path, "%s/%d.jpg", getenv("FAKE_PICTURES"), number);
        FILE *file = fopen(path, "rb");
        if (file == NULL)
            continue;
        int size = (int)fread(into, 1, BYTES, file);
        fclose(file);
        number++;
        return size;
    }
    return 0;
}

static int take(struct v4l2_buffer *buffer)
{
    if (access(getenv("FAKE_CAMERA"), F_OK) != 0)
        return fails(ENODEV);
    if (is("silent") || now_us() < due_us || queued == 0)
        return fails(EAGAIN);
    buffer->index = first++ % BUFFERS;
    buffer->bytesused = picture(memory + buffer->index * BYTES);
    buffer->timestamp.tv_sec = now_us() / MICROSECONDS;
    buffer->timestamp.tv_usec = now_us() % MICROSECONDS;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    due_us = now_us() + MICROSECONDS / rate;
    queued--;
    return 0;
}

static int set_format(struct v4l2_pix_format *asked)
{
    int has_jpegs = !is("yuyv") && asked->pixelformat == V4L2_PIX_FMT_MJPEG;
    format = has_jpegs ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
    asked->pixelformat = format;
    asked->width = width; /* the one size it has */
    asked->height = height;
    asked->field = V4L2_FIELD_NONE;
    asked->bytesperline = width * 2;
    asked->sizeimage = BYTES;
    return 0;
}

static int answer(unsigned long request, void *argument)
{
    struct v4l2_capability *capability = argument;
    struct v4l2_requestbuffers *buffers = argument;
    struct v4l2_buffer *buffer = argument;
    struct v4l2_streamparm *rates = argument;
    switch (request) {
    case VIDIOC_QUERYCAP:
        memset(capability, 0, sizeof *capability);
        capability->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case VIDIOC_G_INPUT:
        *(int *)argument = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        return ((struct v4l2_input *)argument)->index ? fails(EINVAL) : 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
        return set_format(&((struct v4l2_format *)argument)->fmt.pix);
    case VIDIOC_S_PARM:
    case VIDIOC_G_PARM:
        if (request == VIDIOC_S_PARM && rates->parm.capture.timeperframe.numerator)
            rate = rates->parm.capture.timeperframe.denominator / rates->parm.capture.timeperframe.numerator;
        rates->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        rates->parm.capture.timeperframe = (struct v4l2_fract){1, rate};
        return 0;
    case VIDIOC_REQBUFS:
        if (is("busy"))
            return fails(EBUSY);
        memory = memory ? memory : calloc(BUFFERS, BYTES);
        buffers->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = BYTES;
        buffer->m.offset = buffer->index * BYTES;
        return 0;
    case VIDIOC_QBUF:
        queued++;
        return 0;
    case VIDIOC_DQBUF:
        return take(buffer);
    case VIDIOC_STREAMON:
        due_us = now_us();
        return 0;
    case VIDIOC_STREAMOFF:
        return 0;
    default:
        return fails(ENOTTY);
    }
}

int ioctl(int descriptor, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (descriptor == device && device >= 0)
        return answer(request, argument);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return real(descriptor, request, argument);
}

#define MMAP(name)                                                                             \
    void *name(void *at, size_t size, int rights, int flags, int descriptor, off_t offset)     \
    {                                                                                          \
        if (descriptor == device && device >= 0)                                               \
            return memory + offset;                                                            \
        void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");        \
        return real(at, size, rights, flags, descriptor, offset);                              \
    }
MMAP(mmap)
MMAP(mmap64)

int munmap(void *at, size_t size)
{
    int (*real)(void *, size_t) = dlsym(RTLD_NEXT, "munmap");
    unsigned char *place = at;
    return memory && place >= memory && place < memory + BUFFERS * BYTES ? 0 : real(at, size);
}

int close(int descriptor)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (descriptor == device)
        device = -1;
    return real(descriptor);
}
