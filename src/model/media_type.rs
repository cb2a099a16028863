//! What kind of bytes a file of ours has, by its name.

/// The media type of a file that damctl has made, by what its name ends with.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "ac3" => "audio/ac3",
        "avif" => "image/avif",
        "flac" => "audio/flac",
        "jpg" => "image/jpeg",
        "json" => "application/json",
        "jxl" => "image/jxl",
        "m3u8" => "application/vnd.apple.mpegurl",
        "m4a" => "audio/mp4",
        "m4s" | "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "mpd" => "application/dash+xml",
        "opus" => "audio/ogg",
        "png" => "image/png",
        "srt" => "application/x-subrip",
        "ts" => "video/mp2t",
        "vtt" => "text/vtt",
        "wav" => "audio/wav",
        "webm" => "video/webm",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}
