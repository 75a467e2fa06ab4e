/*
 * A worker without libupnp's server, for the tests of actions: an action comes in as XML,
 * and a thread at the other end of the channel is the broker, who answers what the test
 * has put there and keeps what was asked.
 */
#ifndef IGDWARD_TEST_UPNP_LAB_H
#define IGDWARD_TEST_UPNP_LAB_H

#include "log.h"
#include "soap.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID "12345678-9abc-4def-8123-456789abcdef"
#define WIC  "urn:schemas-upnp-org:service:WANIPConnection:1"
#define WCIC "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1"
#define L3F  "urn:schemas-upnp-org:service:Layer3Forwarding:1"

enum {
	LAN_HOST = 0x0a00000a, /* 10.0.0.10 */
	ANSWER_MAX = 512,
};

/* The other end of the channel: takes one request after the other and answers each with
 * what the test has put there. */
static struct {
	struct worker worker;
	int theirs;
	pthread_t broker, reader;
	pthread_mutex_t lock;
	uint32_t answer_id;
	_Alignas(8) uint8_t answer[ANSWER_MAX];
	struct chan_msg asked; /* the last one; id 0 = none */
	const char *trouble;   /* what request_trouble() says */
} lab = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool receive(int fd, enum igw_sender sender, struct chan_msg *msg)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, -1) == 1 && chan_recv(fd, sender, msg) == 1;
}

static void *be_broker(void *arg)
{
	struct chan_msg msg;

	(void)arg;
	while (receive(lab.theirs, IGW_UPNP, &msg)) {
		pthread_mutex_lock(&lab.lock);
		lab.asked = msg;
		if (lab.answer_id != 0)
			chan_send(lab.theirs, lab.answer_id, msg.seq, lab.answer, NULL);
		pthread_mutex_unlock(&lab.lock);
	}
	return NULL;
}

static void *be_reader(void *arg)
{
	struct chan_msg msg;

	(void)arg;
	while (receive(lab.worker.broker.fd, IGW_BROKER, &msg))
		broker_answered(&lab.worker.broker, &msg);
	return NULL;
}

static void quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static int set_up(void **state)
{
	struct igw_link link = { .interface = "br-lan",
		.prefix_len = 24,
		.igd_version = 1,
		.uuid = UUID,
		.friendly_name = "router" };
	int pair[2];

	(void)state;
	log_set_sink(quiet);
	link.addr = igw_addr_from_v4(0x0a000001);
	if (chan_pair(pair) < 0 || broker_init(&lab.worker.broker, pair[0], 5000) < 0 ||
		worker_set_link(&lab.worker, &link) < 0 ||
		events_init(&lab.worker.events, &lab.worker.names, &lab.worker.broker,
			&lab.worker.device) < 0)
		return -1;
	lab.theirs = pair[1];
	return pthread_create(&lab.broker, NULL, be_broker, NULL) |
	       pthread_create(&lab.reader, NULL, be_reader, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	shutdown(lab.theirs, SHUT_RDWR);
	pthread_join(lab.broker, NULL);
	pthread_join(lab.reader, NULL);
	close(lab.theirs);
	close(lab.worker.broker.fd);
	broker_destroy(&lab.worker.broker);
	documents_free(&lab.worker.documents);
	return 0;
}

/* What the broker will answer from now on; id 0 = nothing. Forgets what was asked. */
static void will_answer(uint32_t id, const void *payload, size_t size)
{
	pthread_mutex_lock(&lab.lock);
	lab.answer_id = id;
	memset(lab.answer, 0, sizeof(lab.answer));
	if (size > 0)
		memcpy(lab.answer, payload, size);
	memset(&lab.asked, 0, sizeof(lab.asked));
	pthread_mutex_unlock(&lab.lock);
}

/* Runs an action given as XML; returns the UPnP code and leaves the rest in *call. The
 * input texts end with the document. */
static unsigned run_from(struct soap_call *call, uint32_t client_v4, int service,
	const char *type, const char *xml)
{
	const struct igd_service *s = &igd_tree_v1.services[service];
	struct igw_addr client = igw_addr_from_v4(client_v4);
	IXML_Document *document = NULL;
	char text[4096];

	snprintf(text, sizeof(text), "<u:%.*s xmlns:u=\"%s\">%s</u:%.*s>",
		(int)strcspn(xml, " "), xml, type, xml + strcspn(xml, " "),
		(int)strcspn(xml, " "), xml);
	assert_int_equal(ixmlParseBufferEx(text, &document), IXML_SUCCESS);
	memset(call, 0, sizeof(*call));
	call->worker = &lab.worker;
	soap_run(call, lab.worker.names.udn[s->device], s->id, &client,
		ixmlNode_getFirstChild((IXML_Node *)document), lab.trouble);
	ixmlDocument_free(document);
	if (call->code != 0)
		assert_true(call->text && call->text[0] != '\0');
	return call->code;
}

static unsigned run(struct soap_call *call, const char *xml)
{
	return run_from(call, LAN_HOST, 2, WIC, xml);
}

static const char *out(const struct soap_call *call, const char *name)
{
	for (int i = 0; call->action->out[i].name; i++) {
		if (strcmp(call->action->out[i].name, name) == 0)
			return call->out[i];
	}
	fail();
	return NULL;
}

#endif
