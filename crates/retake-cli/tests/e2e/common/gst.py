"""What GStreamer sees in a film, as JSON: usage: gst.py ELEMENTS FILM [SECOND...]

ELEMENTS are the demuxers behind the file, such as `qtdemux` or `hlsdemux ! qtdemux`. Prints the duration, all samples of pictures and sound
(time when shown and when decoded in nanoseconds of stream time, whether decoding can start there, bytes), and where a seek to each SECOND
comes out. Exit code 77: GStreamer, or an element, is not there.
"""

import json
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError):
    sys.exit(77)

Gst.init(None)
elements, film, seconds = sys.argv[1], sys.argv[2], [float(text) for text in sys.argv[3:]]
if any(Gst.ElementFactory.find(name.strip()) is None for name in elements.split("!")):
    sys.exit(77)
WAIT = 60 * Gst.SECOND


class Track:
    """Follows the samples of one track."""

    def __init__(self, pipeline, pad, kind):
        self.kind, self.samples, self.segment = kind, [], None
        queue, self.sink = (Gst.ElementFactory.make(name) for name in ("queue", "fakesink"))
        queue.set_property("max-size-bytes", 0)
        queue.set_property("max-size-buffers", 0)
        queue.set_property("max-size-time", 0)
        self.sink.set_property("sync", False)
        for element in (queue, self.sink):
            pipeline.add(element)
        queue.link(self.sink)
        # the order matters: a probe is there before the first sample
        self.sink.get_static_pad("sink").add_probe(
            Gst.PadProbeType.BUFFER | Gst.PadProbeType.EVENT_DOWNSTREAM | Gst.PadProbeType.EVENT_FLUSH, self.see
        )
        for element in (self.sink, queue):
            element.sync_state_with_parent()
        pad.link(queue.get_static_pad("sink"))

    def see(self, _, info):
        if info.type & Gst.PadProbeType.BUFFER:
            buffer = info.get_buffer()
            sync = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            self.samples.append([self.stream(buffer.pts), self.stream(buffer.dts), sync, buffer.get_size()])
        elif info.get_event().type == Gst.EventType.SEGMENT:
            self.segment = info.get_event().parse_segment()
        elif info.get_event().type == Gst.EventType.FLUSH_STOP:
            self.samples.clear()
        return Gst.PadProbeReturn.OK

    def stream(self, time):
        if time == Gst.CLOCK_TIME_NONE:
            return None
        if "matroska" in elements:
            return time  # no edits: the segment only says where playing started
        # plain arithmetic: what is outside of the segment has a time, too
        return time - self.segment.start + self.segment.time


def tracks_of(pipeline):
    tracks = []

    def added(demuxer, pad):
        # as text, because 1.26 wraps structures in objects that older generations do not have
        kind = (pad.get_current_caps() or pad.query_caps()).to_string().split("/")[0]
        if kind in ("video", "audio"):
            tracks.append(Track(pipeline, pad, kind))

    pipeline.get_by_name("last").connect("pad-added", added)
    return tracks


def wait(pipeline, kind):
    message = pipeline.get_bus().timed_pop_filtered(WAIT, kind | Gst.MessageType.ERROR)
    if message is None:
        sys.exit("GStreamer does not come to an end")
    if message.type == Gst.MessageType.ERROR:
        sys.exit(str(message.parse_error()))


def opened():
    pipeline = Gst.parse_launch(f"filesrc name=file ! {elements} name=last")
    pipeline.get_by_name("file").set_property("location", film)
    return pipeline, tracks_of(pipeline)


pipeline, tracks = opened()
pipeline.set_state(Gst.State.PLAYING)
wait(pipeline, Gst.MessageType.EOS)
duration = pipeline.query_duration(Gst.Format.TIME)[1]
pipeline.set_state(Gst.State.NULL)
answer = {"duration": duration, "tracks": [{"kind": track.kind, "samples": track.samples} for track in tracks], "seeks": []}

if seconds:
    pipeline, tracks = opened()
    pipeline.set_state(Gst.State.PAUSED)
    wait(pipeline, Gst.MessageType.ASYNC_DONE)
for second in seconds:
    flags = Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT | Gst.SeekFlags.SNAP_BEFORE
    if not pipeline.seek_simple(Gst.Format.TIME, flags, int(second * Gst.SECOND)):
        sys.exit(f"no seek to {second}")
    wait(pipeline, Gst.MessageType.ASYNC_DONE)
    first = next(track for track in tracks if track.kind == "video")
    time, _, sync, _ = first.samples[0]
    answer["seeks"].append([time, sync])
pipeline.set_state(Gst.State.NULL)
print(json.dumps(answer))
