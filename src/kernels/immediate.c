/* Queues and events of backends whose functions return when their work is done. A device has
 * its own and lets them do what is empty here. */
#include <posweep/kernels/backend.h>

static struct psw_queue *open_queue(void)
{
    return NULL;
}

static void wait_queue(struct psw_queue *queue)
{
    (void)queue;
}

static struct psw_event *open_event(void)
{
    return NULL;
}

static void close_event(struct psw_event *event)
{
    (void)event;
}

static void order(struct psw_queue *queue, struct psw_event *event)
{
    (void)queue;
    (void)event;
}

const struct psw_queue_ops psw_queue_immediate = {.open = open_queue,
                                                  .close = wait_queue,
                                                  .wait = wait_queue,
                                                  .event_open = open_event,
                                                  .event_close = close_event,
                                                  .event_record = order,
                                                  .event_await = order};
