/* See fft.h. */
#include "base/fft.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

struct smol_fft {
	fftwf_plan backward, forward;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER; /* FFTW's is not thread-safe */

static fftwf_plan plan(float *x, float *y, size_t n, fftwf_r2r_kind kind)
{
	return fftwf_plan_r2r_1d((int)n, x, y, kind, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
}

struct smol_fft *smol_fft_plan(size_t n)
{
	struct smol_fft *fft = calloc(1, sizeof *fft);
	float *x, *y;

	if (!fft)
		return NULL;
	pthread_mutex_lock(&planner);
	x = fftwf_alloc_real(n);
	y = fftwf_alloc_real(n);
	if (x && y) {
		fft->backward = plan(x, y, n, FFTW_HC2R);
		fft->forward = plan(x, y, n, FFTW_R2HC);
	}
	fftwf_free(x);
	fftwf_free(y);
	pthread_mutex_unlock(&planner);
	if (fft->backward && fft->forward)
		return fft;
	smol_fft_free(fft);
	return NULL;
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
	fftwf_execute_r2r(fft->backward, x, y);
}

void smol_fft_forward(const struct smol_fft *fft, float *y, float *x)
{
	fftwf_execute_r2r(fft->forward, x, y);
}
