#include "workers.h"

#include "chan.h"
#include "dispatch.h"
#include "links.h"
#include "log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	MESSAGES_PER_WAKEUP = 64, /* so that one worker cannot keep the loop to itself */
};

static struct link *link_of(struct ev_source *source)
{
	return ev_container(source, struct link, channel);
}

static void workers_detach(struct link *link)
{
	if (link->channel.fd < 0)
		return;
	ev_del(link->broker->ev, &link->channel);
	close(link->channel.fd);
	link->channel.fd = -1;
	link->told = false;
	link->http_port = 0;
}

void workers_replace(struct link *link, const char *why)
{
	struct igw_worker_kill kill = { .link = (uint32_t)(link - link->broker->links) };

	workers_detach(link);
	igw_text_copy(kill.why, sizeof(kill.why), why);
	if (chan_send(link->broker->parent.fd, IGW_WORKER_KILL, link->generation, &kill,
		    NULL) < 0)
		log_error("cannot ask the parent for a new worker on %s", link->name);
}

static void on_worker(struct ev_source *source, uint32_t events, int64_t now_ms)
{
	struct link *link = link_of(source);
	struct chan_msg msg;
	int r = 0;

	(void)events;
	for (int i = 0; i < MESSAGES_PER_WAKEUP; i++) {
		r = chan_recv(source->fd, IGW_UPNP, &msg);
		if (r == -EAGAIN)
			break;
		if (r == 1)
			r = dispatch(link, &msg, now_ms);
		else if (r == 0)
			r = -EPIPE;
		if (r < 0)
			break;
	}
	if (r < 0 && r != -EAGAIN) {
		const char *why = r == -EPIPE	  ? "it ended"
				  : r == -EBADMSG ? "it broke the protocol"
						  : strerror(-r);

		/* An end by itself is the parent's to judge: it may have asked for it. */
		log_at(r == -EPIPE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
			"event=worker-lost interface=%s text=\"%s\"", link->name, why);
		workers_replace(link, why);
	}
	broker_schedule(link->broker);
}

void workers_attach(struct broker *broker, struct link *link, int fd, uint32_t generation)
{
	workers_detach(link);
	link->channel = (struct ev_source){ .fd = fd, .ready = on_worker };
	link->workers++;
	link->generation = generation;
	if (ev_add(broker->ev, &link->channel, EPOLLIN) < 0) {
		close(fd);
		link->channel.fd = -1;
		workers_replace(link, "its channel could not be watched");
		return;
	}
	workers_tell(link);
}

void workers_tell(struct link *link)
{
	const struct broker *broker = link->broker;
	struct igw_link to = { .link = (uint32_t)(link - broker->links),
		.igd_version = broker->config.igd_version,
		.http_port = broker->config.http_port,
		.log_level = (uint32_t)log_get_level() };

	if (link->channel.fd < 0 || link->told || link->n_addrs == 0)
		return;
	to.addr = link->addrs[0].addr;
	to.prefix_len = link->addrs[0].len;
	igw_text_copy(to.interface, sizeof(to.interface), link->name);
	igw_text_copy(to.uuid, sizeof(to.uuid), broker->start.uuid);
	igw_text_copy(
		to.friendly_name, sizeof(to.friendly_name), broker->config.friendly_name);
	if (chan_send(link->channel.fd, IGW_LINK, 0, &to, NULL) == 0)
		link->told = true;
	else
		workers_replace(link, "it did not take its first message");
}

void workers_changed(struct broker *broker)
{
	struct igw_changed changed = { .addr = broker->wan_addr,
		.mappings = table_count(broker->table),
		.update_id = broker->update_id };

	for (size_t i = 0; i < broker->n_links; i++) {
		/* A worker that does not read misses it, and is told the next time. */
		if (broker->links[i].http_port != 0)
			chan_send(broker->links[i].channel.fd, IGW_CHANGED, 0, &changed,
				NULL);
	}
}
