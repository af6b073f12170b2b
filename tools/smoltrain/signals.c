/* See signals.h. */
#include "smoltrain/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    stop_asked = 1;
    signal(number, SIG_DFL);
}

void train_signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

bool train_stop_asked(void) { return stop_asked != 0; }
