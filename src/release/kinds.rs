//! Every kind of refusal: status, stable code, and a sentence in each language. `docs/refusals.md` shows the same
//! table, and a test compares the two.

/// One kind of refusal.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub status: u16,
    pub code: &'static str,
    pub english: &'static str,
    pub indonesian: &'static str,
}

macro_rules! kinds {
    ($($name:ident $code:literal $status:literal $english:literal $indonesian:literal)*) => {
        $(pub const $name: Kind = Kind {
            status: $status,
            code: $code,
            english: $english,
            indonesian: $indonesian,
        };)*

        /// All kinds, in order of status.
        pub const REFUSALS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    HTTP_VERSION "http_version" 400
        "Use HTTP/1.1 or HTTP/2."
        "Gunakan HTTP/1.1 atau HTTP/2."
    REQUEST_FORM "request_form" 400
        "The request's target must be a plain path."
        "Sasaran permintaan harus berupa path biasa."
    HOST_MALFORMED "host_malformed" 400
        "Send one `Host`: a name or an address, with at most a port."
        "Kirimkan satu `Host`: nama atau alamat, paling banyak ditambah port."
    BODY_NOT_ALLOWED "body_not_allowed" 400
        "A request for a copy has no body."
        "Permintaan salinan tidak boleh berisi badan pesan."
    PATH_AMBIGUOUS "path_ambiguous" 400
        "The path can be read in more than one way. Use letters, digits, `-`, `.`, `_`, `~` and single slashes."
        "Path dapat dibaca lebih dari satu cara. Gunakan huruf, angka, `-`, `.`, `_`, `~`, dan garis miring tunggal."
    QUERY_MALFORMED "query_malformed" 400
        "The query is not `name=value` pairs of letters, digits, `-`, `.`, `_`, `~`."
        "Kueri bukan pasangan `nama=nilai` dari huruf, angka, `-`, `.`, `_`, `~`."
    PARAMETER_REPEATED "parameter_repeated" 400
        "A parameter is given twice."
        "Sebuah parameter diberikan dua kali."
    PARAMETER_UNKNOWN "parameter_unknown" 400
        "The policy does not list a parameter of this request."
        "Kebijakan tidak mencantumkan salah satu parameter permintaan ini."
    PARAMETER_VALUE "parameter_value" 400
        "A parameter's value is not of the kind the policy states, or lies outside the area asked for."
        "Nilai sebuah parameter tidak sesuai dengan jenis yang ditetapkan kebijakan, atau berada di luar wilayah yang diminta."
    AREA_MALFORMED "area_malformed" 400
        "The area is not a code of 2, 4, 6 or 10 digits."
        "Wilayah bukan kode 2, 4, 6, atau 10 angka."
    STATEMENT_MALFORMED "statement_malformed" 400
        "Say what you hold as `rows`, `bytes` and `sha256` (64 hexadecimal digits), each once."
        "Nyatakan yang Anda pegang sebagai `rows`, `bytes`, dan `sha256` (64 angka heksadesimal), masing-masing satu kali."
    TOKEN_MISSING "token_missing" 401
        "Send a token: `Authorization: Bearer ...`."
        "Kirimkan token: `Authorization: Bearer ...`."
    INVALID_TOKEN "invalid_token" 401
        "The token is not valid here."
        "Token tidak berlaku di sini."
    TOKEN_EXPIRED "token_expired" 401
        "The token has expired. Ask its issuer for a new one."
        "Token sudah kedaluwarsa. Mintalah token baru kepada penerbitnya."
    TOKEN_REVOKED "token_revoked" 401
        "The token was withdrawn. Ask its issuer."
        "Token sudah dicabut. Tanyakan kepada penerbitnya."
    ROLE_NOT_ALLOWED "role_not_allowed" 403
        "The policy gives nothing to this role at this level."
        "Kebijakan tidak memberikan apa pun kepada peran ini pada tingkat ini."
    ELECTION_NOT_ALLOWED "election_not_allowed" 403
        "The token is for another election."
        "Token ini untuk pemilu yang lain."
    AREA_NOT_ALLOWED "area_not_allowed" 403
        "The area lies outside the mandate."
        "Wilayah berada di luar mandat."
    MANDATE_OVER "mandate_over" 403
        "The mandate has ended. Ask your party for a new one."
        "Mandat sudah berakhir. Mintalah mandat baru kepada partai Anda."
    ELECTION_OVER "election_over" 403
        "The election is over. No copy of its lists is handed over any more."
        "Pemilu ini sudah berakhir. Salinan daftarnya tidak diserahkan lagi."
    POLICY_NOT_IN_FORCE "policy_not_in_force" 403
        "The policy for this list is not in force today."
        "Kebijakan untuk daftar ini tidak berlaku hari ini."
    NOT_FOUND "not_found" 404
        "There is nothing at this address for you."
        "Tidak ada apa pun di alamat ini untuk Anda."
    METHOD_NOT_ALLOWED "method_not_allowed" 405
        "This method is not offered here."
        "Metode ini tidak tersedia di sini."
    RELEASE_OPEN "release_open" 409
        "The copy is still under way. State what you hold once it has ended."
        "Salinan masih dikirim. Nyatakan yang Anda pegang setelah pengiriman selesai."
    STATEMENTS_EXHAUSTED "statements_exhausted" 409
        "As many statements as are recorded for one release have been made."
        "Jumlah pernyataan yang dicatat untuk satu penyerahan sudah tercapai."
    TOO_MANY_REQUESTS "too_many_requests" 429
        "Too many requests. Wait as long as `Retry-After` says."
        "Terlalu banyak permintaan. Tunggu selama yang disebut `Retry-After`."
    QUOTA_EXCEEDED "quota_exceeded" 429
        "No rows are left of the quota of this period, or copies under way keep them back. Wait as long as `Retry-After` says."
        "Kuota baris untuk periode ini sudah habis atau sedang dicadangkan untuk salinan yang masih berjalan. Tunggu selama yang disebut `Retry-After`."
    COPIES_EXCEEDED "copies_exceeded" 429
        "As many copies for your party are under way as may be at one time. Let one end first."
        "Jumlah salinan untuk partai Anda yang sedang dikirim sudah mencapai batas. Tunggu sampai salah satunya selesai."
    SOURCE_FAILED "source_failed" 502
        "The voter-data source gave an answer that cannot be released. The operator has the cause."
        "Sumber data pemilih memberikan jawaban yang tidak dapat diserahkan. Operator mengetahui penyebabnya."
    TRY_LATER "try_later" 503
        "No copy can be recorded or fetched now, so none is released. Try again later."
        "Saat ini tidak ada salinan yang dapat dicatat atau diambil, maka tidak ada yang diserahkan. Coba lagi nanti."
    SOURCE_TIMEOUT "source_timeout" 504
        "The voter-data source did not answer in time."
        "Sumber data pemilih tidak menjawab pada waktunya."
}
