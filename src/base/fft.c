/* See fft.h. */
#include "base/fft.h"
#include "base/error.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

struct smol_fft {
    fftwf_plan backward, forward;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER; /* FFTW's is not thread-safe */
static pthread_once_t forks = PTHREAD_ONCE_INIT;

/* A process made by fork must not find the planner held by a thread that it does not have. */
static void hold(void) { pthread_mutex_lock(&planner); }
static void release(void) { pthread_mutex_unlock(&planner); }
static void prepare_for_forks(void) { pthread_atfork(hold, release, release); }

enum smol_status smol_fft_plan(struct smol_fft **planned, size_t n, struct smol_error *error)
{
    struct smol_fft *fft = calloc(1, sizeof *fft);
    fftwf_complex *x;
    float *y;

    if (!fft)
        return smol_fail_memory(error);
    pthread_once(&forks, prepare_for_forks);
    pthread_mutex_lock(&planner);
    x = fftwf_alloc_complex(n / 2 + 1);
    y = fftwf_alloc_real(n);
    if (x && y) {
        fft->backward = fftwf_plan_dft_c2r_1d((int)n, x, y, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
        fft->forward = fftwf_plan_dft_r2c_1d((int)n, y, x, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    }
    fftwf_free(x);
    fftwf_free(y);
    pthread_mutex_unlock(&planner);
    if (fft->backward && fft->forward) {
        *planned = fft;
        return SMOL_OK;
    }
    smol_fft_free(fft);
    return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "cannot plan an FFT of %zu points", n);
}

void smol_fft_free(struct smol_fft *fft)
{
    if (!fft)
        return;
    pthread_mutex_lock(&planner);
    if (fft->backward)
        fftwf_destroy_plan(fft->backward);
    if (fft->forward)
        fftwf_destroy_plan(fft->forward);
    pthread_mutex_unlock(&planner);
    free(fft);
}

void smol_fft_backward(const struct smol_fft *fft, float *y, float *x)
{
    fftwf_execute_dft_c2r(fft->backward, (fftwf_complex *)(void *)x, y);
}

void smol_fft_forward(const struct smol_fft *fft, float *x, float *y)
{
    fftwf_execute_dft_r2c(fft->forward, y, (fftwf_complex *)(void *)x);
}
