//! Films (MP4, WebM, AVI …) through `ffmpeg`, a program that the user installs: frames come and go by a pipe. It is
//! started directly, never through a shell; it may open the one file it is given and nothing else, whatever that file
//! says; and it must go on delivering, or it is ended.
//!
//! This is the only place of the crate that starts a program.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use image::{DynamicImage, RgbImage};

use super::format::{Look, MAX_LENGTH, VideoFormat};
use crate::{
    Error, Fit,
    transform::{MAX_PIXELS, MAX_SIDE},
};

/// How long a frame may be waited for.
const FRAME_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the program may take to say its version.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames read ahead.
const FRAMES_AHEAD: usize = 4;
/// Frames that are looked at to know a film.
const FRAMES_LOOKED_AT: usize = 3;
/// Bytes of its messages that are kept; the last line is kept always.
const MAX_MESSAGE_BYTES: usize = 64 << 10;
/// Frames a second and seconds of a film that does not say.
const UNKNOWN: (f64, f64) = (25.0, 10.0);
/// How messages end that follow the one that tells what is wrong.
const SAY_NOTHING: [&str; 4] = [
    "Invalid data found when processing input",
    "after EOF",
    "Error marking filters as finished",
    "Conversion failed!",
];
/// Values of a colour that differ by less are one: colours of films are rounded.
const GRAY_WITHIN: u8 = 3;

/// Times from the first frame on, wherever that is, and pixels as wide as they are high: only ever fewer of them.
const PLAIN: &str = "setpts=PTS-STARTPTS,scale=w='if(gt(sar,1),iw,max(2,iw*sar))':h='if(gt(sar,1),max(2,ih/sar),ih)',setsar=1";

const HINT: &str = "install it: `apt install ffmpeg`, `dnf install ffmpeg`, `brew install ffmpeg` or https://ffmpeg.org; \
                    GIF, APNG and folders of frames need no program";

/// The program.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    program: PathBuf,
}

/// As it is found on `PATH`.
impl Default for Ffmpeg {
    fn default() -> Self {
        Self::at("ffmpeg")
    }
}

impl Ffmpeg {
    /// A program that lies elsewhere.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Checks that the program can be started; `what` is what needs it.
    ///
    /// # Errors
    /// The program is missing or does not answer; the error says how to install it.
    pub fn check(&self, what: &str) -> Result<(), Error> {
        let version = ["-hide_banner", "-loglevel", "error", "-version"].map(OsString::from).to_vec();
        let fail = |why: String| Error::bad(what, why).with_hint(HINT);
        let mut running = self.start(version, Stdio::null()).map_err(fail)?;
        let (send, receive) = sync_channel(1);
        if let Some(mut out) = running.child.stdout.take() {
            // A program that says nothing is ended when `running` is dropped, and this thread with it.
            thread::spawn(move || send.send(io::copy(&mut out, &mut io::sink())));
        }
        match receive.recv_timeout(START_TIMEOUT) {
            Ok(Ok(bytes)) if bytes > 0 => Ok(()),
            _ => Err(fail(format!("`{}` does not answer", self.program.display()))),
        }
    }

    /// Size, rate and length of a film, and whether it has colours.
    pub(super) fn look(&self, file: &Path) -> Result<Look, String> {
        let mut args = input(file, "info", 1);
        args.extend(["-vf".into(), PLAIN.into(), "-frames:v".into(), FRAMES_LOOKED_AT.to_string().into()]);
        let mut frames = Vec::new();
        let messages = self.frames_of(args, &mut |frame| {
            frames.push(frame);
            Ok(())
        })?;
        let Some(first) = frames.first() else { return Err("has no pictures".to_owned()) };
        if frames.len() == 1 {
            return Err("has one frame; that is a picture".to_owned());
        }
        let rate = rate_in(&messages).unwrap_or(UNKNOWN.0);
        let secs = seconds_in(&messages).unwrap_or(UNKNOWN.1);
        let plain = |pixel: &[u8; 3]| {
            let (least, most) = (pixel.iter().min(), pixel.iter().max());
            least.zip(most).is_some_and(|(least, most)| most - least <= GRAY_WITHIN)
        };
        Ok(Look {
            width: first.width(),
            height: first.height(),
            rate,
            secs,
            gray: frames.iter().all(|frame| frame.pixels().all(|pixel| plain(&pixel.0))),
        })
    }

    /// Calls `put` with every frame at the rate and about the size of the codec.
    pub(super) fn frames(
        &self,
        file: &Path,
        codec: &VideoFormat,
        threads: usize,
        put: &mut dyn FnMut(DynamicImage) -> Result<(), String>,
    ) -> Result<(), String> {
        let (width, height) = (codec.shape.width, codec.shape.height);
        let until = if codec.fit == Fit::Crop { "increase" } else { "decrease" };
        let filters = format!(
            "{PLAIN},fps={}:round=near,scale={width}:{height}:force_original_aspect_ratio={until}:flags=lanczos+accurate_rnd",
            codec.fps
        );
        let mut args = input(file, "error", threads);
        args.extend(["-vf".into(), filters.into(), "-frames:v".into(), (MAX_LENGTH + 1).to_string().into()]);
        self.frames_of(args, &mut |frame| put(DynamicImage::ImageRgb8(frame))).map(|_| ())
    }

    /// Runs the program to its end, with `args` up to where frames go; gives back what it said.
    fn frames_of(
        &self,
        mut args: Vec<OsString>,
        put: &mut dyn FnMut(RgbImage) -> Result<(), String>,
    ) -> Result<String, String> {
        // Every PPM says its size: neither rotation nor a change within the film can shift the frames.
        let pipe = ["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "pipe:1"];
        args.extend(pipe.map(OsString::from));
        let mut running = self.start(args, Stdio::null())?;
        let frames = running.child.stdout.take().map(read_ahead).ok_or("has no pipe")?;
        let mut count = 0;
        loop {
            match frames.recv_timeout(FRAME_TIMEOUT) {
                Ok(Ok(frame)) => put(frame)?,
                Ok(Err(why)) => return Err(format!("ffmpeg gave a damaged frame ({why})")),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("ffmpeg gave nothing for {} seconds", FRAME_TIMEOUT.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            count += 1;
        }
        let (done, messages) = running.finish()?;
        match (done, count) {
            _ if messages.contains("matches no streams") => Err("has no pictures, only sound".to_owned()),
            (false, _) | (_, 0) => Err(format!("ffmpeg cannot read it: {}", last_line(&messages))),
            _ => Ok(messages),
        }
    }

    /// Writes an MP4 of interleaved frames of `(width, height)`, gray or RGB; `comment` goes with it.
    pub(crate) fn encode(
        &self,
        path: &Path,
        (width, height): (usize, usize),
        fps: f64,
        frames: &[Vec<u8>],
        comment: &str,
    ) -> Result<(), String> {
        let area = (width * height).max(1);
        let format = if frames.first().is_some_and(|frame| frame.len() == area) { "gray" } else { "rgb24" };
        let mut last = String::new();
        // H.264 where this build has it; MPEG-4 part 2 is in all of them.
        for codec in [&["libx264", "-crf", "14"], &["mpeg4", "-q:v", "2"]] {
            let mut args: Vec<OsString> = Vec::new();
            let size = format!("{width}x{height}");
            let rate = fps.to_string();
            args.extend(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"].map(OsString::from));
            args.extend(["-pix_fmt", format, "-s", &size, "-r", &rate, "-i", "pipe:0"].map(OsString::from));
            // Half as many colours as pixels: both sides must be even.
            args.extend(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v"].map(OsString::from));
            args.extend(codec.map(OsString::from));
            args.extend(["-pix_fmt", "yuv420p", "-movflags", "+faststart"].map(OsString::from));
            args.extend(["-metadata".into(), format!("comment={comment}").into()]);
            // The same frames give the same bytes.
            args.extend(
                ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1"].map(OsString::from),
            );
            args.extend(["-f".into(), "mp4".into(), plain(path)]);
            let mut running = self.start(args, Stdio::piped())?;
            if let Some(mut pipe) = running.child.stdin.take() {
                // Where it ended before its time, it says why.
                let _ = frames.iter().try_for_each(|frame| pipe.write_all(frame));
            }
            let (done, messages) = running.finish()?;
            if done {
                return Ok(());
            }
            last = last_line(&messages);
            if !messages.contains("Unknown encoder") {
                break;
            }
        }
        Err(format!("ffmpeg cannot write it: {last}"))
    }

    #[allow(clippy::disallowed_methods)] // The one program that is started, see the top of the file.
    fn start(&self, args: Vec<OsString>, stdin: Stdio) -> Result<Running, String> {
        let mut command = Command::new(&self.program);
        command.args(args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "MP4, WebM, AVI and MOV need the program `ffmpeg`, which is not on PATH".to_owned()
            }
            _ => format!("`{}` cannot be started: {error}", self.program.display()),
        })?;
        let messages = child.stderr.take().map(|pipe| thread::spawn(move || read_messages(pipe)));
        Ok(Running { child, messages })
    }
}

/// A started program, ended when it is dropped.
struct Running {
    child: Child,
    messages: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits for its end; whether it was content, and what it said.
    fn finish(mut self) -> Result<(bool, String), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        Ok((status.success(), messages.unwrap_or_default()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that has ended already this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The options up to a film that is read.
fn input(file: &Path, messages: &str, threads: usize) -> Vec<OsString> {
    let mut args: Vec<OsString> =
        ["-nostdin", "-hide_banner", "-loglevel", messages].map(Into::into).to_vec();
    // Neither a playlist nor a reference in a film may open anything else.
    args.extend(
        ["-protocol_whitelist", "file,pipe", "-format_whitelist", "mov,matroska,avi"].map(OsString::from),
    );
    args.extend(["-threads".into(), threads.to_string().into(), "-i".into(), plain(file)]);
    // "V": not the picture of a cover.
    args.extend(["-map", "0:V:0"].map(OsString::from));
    args
}

/// A path that is nothing but a path: no option, no address.
fn plain(path: &Path) -> OsString {
    let mut text = OsString::from("file:");
    text.push(path);
    text
}

fn read_messages(pipe: impl Read) -> String {
    let mut kept = String::new();
    let mut last = Vec::new();
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        if kept.len() + line.len() < MAX_MESSAGE_BYTES {
            kept.push_str(&String::from_utf8_lossy(&line));
            last.clear();
        } else {
            last.clone_from(&line);
        }
        line.clear();
    }
    kept.push_str(&String::from_utf8_lossy(&last));
    kept
}

/// The last line that says something.
fn last_line(messages: &str) -> String {
    // "[mov,mp4 @ 0x5581] moov atom not found": who says so, and where in memory, helps nobody.
    let bare = |line: &str| match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, line)) => line.trim().to_owned(),
        None => line.to_owned(),
    };
    let lines: Vec<String> =
        messages.lines().map(str::trim).filter(|line| !line.is_empty()).map(bare).collect();
    let telling = lines.iter().rev().find(|line| !SAY_NOTHING.iter().any(|end| line.ends_with(end)));
    telling.or(lines.last()).cloned().unwrap_or("it says nothing".to_owned())
}

/// Reads frames in a thread of its own, so that they can be waited for with an end.
fn read_ahead(pipe: impl Read + Send + 'static) -> Receiver<io::Result<RgbImage>> {
    let (sender, receiver) = sync_channel(FRAMES_AHEAD);
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        while let Some(frame) = read_ppm(&mut reader).transpose() {
            let failed = frame.is_err();
            if sender.send(frame).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// The next picture of a stream of binary PPM, or nothing at its end.
fn read_ppm(reader: &mut impl BufRead) -> io::Result<Option<RgbImage>> {
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    // "P6", width, height and the highest value, each with one white character behind it.
    let mut word = || -> io::Result<Vec<u8>> {
        let mut word = Vec::new();
        loop {
            let mut byte = [0];
            reader.read_exact(&mut byte)?;
            match byte[0].is_ascii_whitespace() || word.len() > 8 {
                true => return Ok(word),
                false => word.push(byte[0]),
            }
        }
    };
    if word()? != b"P6" {
        return Err(invalid("no PPM"));
    }
    let mut side = || -> io::Result<u32> {
        let word = word()?;
        std::str::from_utf8(&word).ok().and_then(|text| text.parse().ok()).ok_or(invalid("no number"))
    };
    let (width, height, _most) = (side()?, side()?, side()?);
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(invalid(&format!("{width}×{height} pixels")));
    }
    let mut bytes = vec![0; 3 * pixels as usize];
    reader.read_exact(&mut bytes)?;
    Ok(RgbImage::from_raw(width, height, bytes))
}

/// "… Video: h264 (High), yuv420p, 640x360, 25 fps, 25 tbr …" → 25.
fn rate_in(messages: &str) -> Option<f64> {
    let line = messages.lines().find(|line| line.contains("Video:") && line.contains(" fps"))?;
    let before = line[..line.find(" fps")?].rsplit([' ', ',']).next()?;
    before.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
}

/// "  Duration: 00:01:05.28, start: 5.2, …" → 60.08: what is said to last from the beginning of time.
fn seconds_in(messages: &str) -> Option<f64> {
    let at = messages.find("Duration: ")? + "Duration: ".len();
    let mut parts = messages[at..].lines().next()?.split(',');
    let sum = |sum: f64, part: &str| Some(sum * 60.0 + part.trim().parse::<f64>().ok()?);
    let end = parts.next()?.split(':').try_fold(0.0, sum)?;
    let start = parts.next().and_then(|part| part.trim().strip_prefix("start: ")?.parse::<f64>().ok());
    Some(end - start.filter(|start| (0.0..end).contains(start)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SAID: &str = "Input #0, mov,mp4, from 'file:a.mp4':\n  Duration: 00:01:05.28, start: 0.000000, bitrate: 1 kb/s\n  \
        Stream #0:0[0x1](und): Video: h264 (High) (avc1), yuv420p(progressive), 1280x720, 5 kb/s, 29.97 fps, 30 tbr\n";

    #[test]
    fn rate_and_length_are_read_from_what_it_says() {
        assert_eq!((rate_in(SAID), seconds_in(SAID)), (Some(29.97), Some(65.28)));
        let late = seconds_in("  Duration: 00:00:05.00, start: 3.000000, bitrate: 6 kb/s\n");
        assert_eq!(late, Some(2.0));
        assert_eq!((rate_in("Duration: N/A, "), seconds_in("Duration: N/A, start")), (None, None));
        assert_eq!(last_line("a\n[mov @ 0x55] moov atom not found\n\n"), "moov atom not found");
        let last = last_line(
            "[mov @ 0x55] moov atom not found\nfile:a.mp4: Invalid data found when processing input\n",
        );
        assert_eq!(last, "moov atom not found");
        assert_eq!(last_line("Conversion failed!\n"), "Conversion failed!");
    }

    #[test]
    fn a_program_that_is_not_there_is_a_clear_error() {
        let missing = Ffmpeg::at("/no/such/folder/ffmpeg");
        let error = missing.check("clips").unwrap_err();
        assert_eq!(
            error.to_string(),
            "clips: MP4, WebM, AVI and MOV need the program `ffmpeg`, which is not on PATH"
        );
        assert!(error.hint().unwrap().contains("apt install ffmpeg"));
        assert!(missing.look(Path::new("a.mp4")).unwrap_err().contains("not on PATH"));
    }

    #[test]
    fn frames_are_read_one_by_one_and_bad_ones_are_errors() {
        let mut stream = &b"P6\n2 1\n255\n123456P6\n1 1\n255\nab"[..];
        let frame = read_ppm(&mut stream).unwrap().unwrap();
        assert_eq!((frame.dimensions(), frame.as_raw().as_slice()), ((2, 1), &b"123456"[..]));
        assert!(read_ppm(&mut stream).is_err(), "cut off");
        assert!(read_ppm(&mut &b""[..]).unwrap().is_none());
        for bad in [&b"P5 1 1 255 a"[..], b"P6 0 1 255 ", b"P6 99999 99999 255 ", b"P6 x"] {
            assert!(read_ppm(&mut &*bad).is_err());
        }
    }

    #[test]
    fn paths_are_neither_options_nor_addresses() {
        assert_eq!(plain(Path::new("-y")), "file:-y");
        assert_eq!(plain(Path::new("http://x/a.mp4")), "file:http://x/a.mp4");
        let args = input(Path::new("concat:a|b"), "error", 1);
        let at = args.iter().position(|arg| arg == "-i").unwrap();
        assert_eq!(args[at + 1], "file:concat:a|b");
        assert!(args[..at].iter().any(|arg| arg == "file,pipe"));
    }
}
