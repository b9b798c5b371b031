//! Sentences for the values of the vocabulary: roles, scopes, phases, what happened, what went wrong.

use super::Lang;
use crate::{
    error::{Error, Kind},
    model::{Environment, Phase, Role, Scope},
};

/// Picks by language.
const fn pick(lang: Lang, en: &'static str, ko: &'static str) -> &'static str {
    match lang {
        Lang::En => en,
        Lang::Ko => ko,
    }
}

impl Lang {
    /// A role.
    pub const fn role(self, role: Role) -> &'static str {
        match role {
            Role::Viewer => pick(self, "viewer", "뷰어"),
            Role::Developer => pick(self, "developer", "개발자"),
            Role::Owner => pick(self, "owner", "소유자"),
        }
    }

    /// What a role may do.
    pub const fn role_says(self, role: Role) -> &'static str {
        match role {
            Role::Viewer => pick(self, "sees everything but secrets", "비밀 값을 뺀 모든 것을 봐요"),
            Role::Developer => pick(self, "ships and changes services", "서비스를 배포하고 바꿔요"),
            Role::Owner => pick(self, "also decides who is in the team", "구성원까지 정해요"),
        }
    }

    /// What a scope allows.
    pub const fn scope_says(self, scope: Scope) -> &'static str {
        match scope {
            Scope::Read => pick(self, "read what you may read", "볼 수 있는 것을 읽기"),
            Scope::Git => pick(self, "push and fetch", "푸시하고 가져오기"),
            Scope::Deploy => pick(self, "deploy, roll back, scale", "배포, 롤백, 규모 조정"),
            Scope::Write => pick(self, "change services, variables, addresses", "서비스, 변수, 주소 바꾸기"),
            Scope::Admin => pick(self, "change teams and people", "팀과 구성원 바꾸기"),
            Scope::Metrics => pick(self, "read Berth's own figures (administrators)", "Berth 자체 지표 읽기(관리자)"),
        }
    }

    /// A phase of a rollout.
    pub const fn phase(self, phase: Phase) -> &'static str {
        match phase {
            Phase::ReleaseCommand => self.phase_command(),
            Phase::Started => self.phase_started(),
            Phase::Healthy => self.phase_healthy(),
            Phase::Routed => self.phase_routed(),
            Phase::FirstRequest => self.phase_first(),
            Phase::Drained => self.phase_drained(),
            Phase::Stopped => self.phase_stopped(),
        }
    }

    /// An environment in a line, for who chooses one.
    pub fn environment_says(self, environment: &Environment) -> String {
        let count = environment.default_replicas;
        match (self, environment.auto_deploy) {
            (Self::En, true) => format!("{count} to start with, new candidates by themselves"),
            (Self::En, false) => format!("{count} to start with, promoted by hand"),
            (Self::Ko, true) => format!("처음 {count}개, 새 후보를 자동 배포"),
            (Self::Ko, false) => format!("처음 {count}개, 직접 승격"),
        }
    }

    /// What an event says happened to its subject by itself: "run 2 of hello" "failed".
    pub fn happened(self, action: &str) -> Option<&'static str> {
        Some(match action.rsplit_once('.').map_or(action, |(_, verb)| verb) {
            "passed" => pick(self, "passed", "통과했어요"),
            "failed" => pick(self, "failed", "실패했어요"),
            "errored" => pick(self, "could not run", "실행할 수 없었어요"),
            "lost" => pick(self, "was lost", "유실됐어요"),
            "timed_out" => pick(self, "timed out", "시간을 넘겼어요"),
            "succeeded" => pick(self, "is proven", "검증됐어요"),
            "superseded" => pick(self, "was superseded", "대체됐어요"),
            "cancelled" => pick(self, "was cancelled", "취소됐어요"),
            "skipped" => pick(self, "was skipped", "건너뛰었어요"),
            "failing" => pick(self, "cannot be fetched", "가져올 수 없어요"),
            "ready" => pick(self, "is ready", "준비됐어요"),
            _ => return None,
        })
    }

    /// What an event says was done. English puts it before its subject, Korean after.
    pub fn action(self, action: &str) -> String {
        let verb = match action {
            "session.started" => "signed_in",
            "session.ended" => "signed_out",
            "session.ended_everywhere" => "signed_out_everywhere",
            "run.started" => "run_started",
            _ => action.rsplit_once('.').map_or(action, |(_, verb)| verb),
        };
        let known = match verb {
            "run_started" => pick(self, "started", "시작했어요"),
            "environment_added" => pick(self, "added an environment to", "환경을 추가했어요"),
            "reset" => pick(self, "reset", "초기화했어요"),
            "created" => pick(self, "created", "만들었어요"),
            "deleted" => pick(self, "deleted", "삭제했어요"),
            "delete_asked" | "deletion_asked" | "deleting" => pick(self, "asked to delete", "삭제를 요청했어요"),
            "changed" | "updated" => pick(self, "changed", "바꿨어요"),
            "added" => pick(self, "added", "추가했어요"),
            "removed" => pick(self, "removed", "제거했어요"),
            "joined" => pick(self, "joined", "참여했어요"),
            "left" => pick(self, "left", "나갔어요"),
            "invited" => pick(self, "invited", "초대했어요"),
            "withdrawn" => pick(self, "withdrew", "거두었어요"),
            "role_changed" => pick(self, "changed the role of", "역할을 바꿨어요"),
            "revoked" => pick(self, "revoked", "폐기했어요"),
            "suspended" => pick(self, "suspended", "정지했어요"),
            "restored" => pick(self, "let back in", "다시 허용했어요"),
            "pushed" => pick(self, "pushed", "푸시했어요"),
            "queued" => pick(self, "queued", "대기열에 넣었어요"),
            "started" => pick(self, "started", "시작했어요"),
            "retried" => pick(self, "ran again", "다시 실행했어요"),
            "cancel_asked" => pick(self, "asked to cancel", "취소를 요청했어요"),
            "deployed" | "deploy_asked" => pick(self, "deployed", "배포했어요"),
            "promoted" => pick(self, "promoted", "승격했어요"),
            "rolled_back" => pick(self, "rolled back", "롤백했어요"),
            "rebuild_asked" => pick(self, "asked for", "요청했어요"),
            "held" => pick(self, "asked to keep", "보관을 요청했어요"),
            "let_go" => pick(self, "let go of", "보관을 그만뒀어요"),
            "scaled" => pick(self, "scaled", "규모를 조정했어요"),
            "guarded" => pick(self, "guarded the default branch of", "기본 브랜치를 지키도록 했어요"),
            "unguarded" => pick(self, "no longer guards the default branch of", "기본 브랜치를 더는 지키지 않아요"),
            "badges_opened" => pick(self, "opened the badges of", "배지를 공개했어요"),
            "badges_closed" => pick(self, "closed the badges of", "배지를 비공개로 했어요"),
            "approved" => pick(self, "approved", "승인했어요"),
            "cleared" => pick(self, "cleared the caches of", "캐시를 비웠어요"),
            "muted" => pick(self, "muted", "무시하도록 했어요"),
            "unmuted" => pick(self, "unmuted", "다시 보도록 했어요"),
            "signed_in" => pick(self, "signed in", "로그인했어요"),
            "signed_out" => pick(self, "signed out", "로그아웃했어요"),
            "signed_out_everywhere" => pick(self, "signed out everywhere", "모든 기기에서 로그아웃했어요"),
            "password_changed" => pick(self, "changed the password", "비밀번호를 바꿨어요"),
            _ => return verb.replace('_', " "),
        };
        known.to_owned()
    }

    /// A sentence that Berth wrote down, as the console says it; one of somebody else stays as it is.
    #[cfg(feature = "ssr")]
    pub fn stored(self, text: &str) -> String {
        let korean = if self == Self::Ko { crate::said::in_korean(text) } else { None };
        korean.unwrap_or_else(|| text.to_owned())
    }

    /// An error as the console says it: by its code where there is such a sentence, else as it came.
    pub fn error(self, error: &Error) -> String {
        if self == Self::En {
            return error.sentence.clone();
        }
        korean(error).map_or_else(|| error.sentence.clone(), str::to_owned)
    }
}

fn korean(error: &Error) -> Option<&'static str> {
    Some(match error.code {
        "invalid_name" => "이름은 영문 소문자로 시작하고 소문자, 숫자, 하이픈 하나씩으로 30자까지 쓸 수 있어요. 예: orders-api",
        "name_taken" => "이미 쓰고 있는 이름이에요. 다른 이름을 고르세요.",
        "invalid_email" => "이메일 주소가 올바르지 않아요. 예: ana@example.org",
        "weak_password" => "비밀번호는 10자 이상이어야 하고 흔한 비밀번호는 쓸 수 없어요.",
        "wrong_credentials" => "이메일이나 비밀번호가 맞지 않아요.",
        "wrong_password" => "지금 비밀번호가 맞지 않아요.",
        "too_many_attempts" => "시도가 너무 많았어요. 잠시 뒤에 다시 해 보세요.",
        "link_spent" => "이 링크는 이미 쓰였거나 기한이 지났어요. 새 링크를 요청하세요.",
        "sign_in_first" => "이 페이지를 보려면 로그인하세요.",
        "confirm_name" => "확인을 위해 이름을 정확히 입력하세요.",
        "last_owner" => "팀에는 소유자가 한 명은 있어야 해요. 먼저 다른 사람을 소유자로 정하세요.",
        "already_there" => "서비스가 이미 이 환경에 있어요.",
        "unknown_environment" => "그런 환경이 없어요.",
        "unknown_input" => "이 브랜치의 실행이 받지 않는 입력이에요. 파일의 `inputs`를 확인하세요.",
        "missing_input" => "꼭 필요한 입력이 비어 있어요.",
        "invalid_input" => "쓸 수 없는 값이에요. 정해진 값이 있으면 그중에서 고르세요.",
        "unknown_branch" => "저장소에 그런 브랜치가 없어요. 먼저 푸시하세요.",
        "unknown_repository" => "팀에 그런 저장소가 없어요. 서비스 설정에서 저장소 이름을 확인하세요.",
        "repository_taken" => "팀에 같은 이름의 저장소가 이미 있어요. 그 저장소를 적거나 다른 이름을 고르세요.",
        "host_taken" => "이미 다른 곳에서 쓰는 호스트 이름이에요.",
        "invalid_host" => "호스트 이름이 올바르지 않아요. 예: shop.example.org",
        "reserved_host" => "Berth가 스스로 쓰는 호스트 이름이에요. 다른 이름을 고르세요.",
        "invalid_variable" => "변수는 한 줄에 NAME=값 하나씩 적으세요. 이름은 영문 대문자, 숫자, 밑줄만 쓸 수 있어요.",
        "invalid_until" => "오늘부터 90일 안의 날짜를 UTC로 적으세요. 예: 2027-01-31",
        "unknown_test" => "그런 불안정한 테스트가 없어요.",
        "changed_meanwhile" => "그사이 다른 사람이 변수를 바꿨어요. 새로 보고 다시 저장하세요.",
        "candidate_gone" => "이 후보의 이미지는 제거됐어요. 커밋을 다시 실행하면 새로 생겨요.",
        "statement_unverified" => "이 후보의 서명된 진술이 맞지 않아 배포하지 않았어요. 커밋을 다시 실행하세요.",
        "no_statement" => "이 후보는 출처를 적기 전에 만들어졌어요.",
        "unknown_candidate" => "그런 후보가 없어요.",
        "unknown_release" => "그런 릴리스가 없어요.",
        "invalid_image" => "배포할 이미지 이름을 확인하세요.",
        "nothing_to_promote" => "승격할 것이 없어요. 앞 환경에서 실행 중인 것이 없어요.",
        "nothing_before" => "이전에 실행한 것이 없어서 되돌릴 수 없어요.",
        "invalid_replicas" => "프로세스마다 0개에서 100개까지 쓸 수 있어요.",
        "not_failed" => "실패한 실행이 아니라서 이어서 실행할 단계가 없어요.",
        "nothing_ran" => "아무것도 실행하지 않아서 이어서 실행할 것이 없어요.",
        "pipeline_changed" => "실행하려던 내용이 남아 있는 단계와 맞지 않아요. 처음부터 다시 실행하세요.",
        "files_gone" => "실행이 남긴 파일을 이제 보관하지 않아 이어서 실행할 수 없어요. 처음부터 다시 실행하세요.",
        "is_mirror" => "이 저장소는 이미 다른 저장소를 미러링해요.",
        "already_ended" => "이미 끝났어요.",
        "no_scopes" => "토큰으로 할 수 있는 일을 하나 이상 고르세요.",
        "invalid_role" => "역할 하나를 고르세요.",
        "unknown_base" => "그런 기반 이미지가 없어요.",
        "invalid_dockerfile" => "이 Dockerfile로는 기반 이미지를 만들 수 없어요. `FROM`으로 시작하고 `syntax`와 `escape` 지시자를 빼세요.",
        "base_busy" => "앞선 버전을 아직 빌드하고 있어요. 끝난 뒤에 다시 하세요.",
        "root_file_system_needed" => "이 기반 이미지는 루트 파일 시스템으로 만들어요. `berth base rebuild`로 새 파일을 보내세요.",
        "invalid_root_file_system" => "이 아카이브는 루트 파일 시스템이 아니에요.",
        "unknown_form" => "알 수 없는 양식이에요. 페이지를 다시 열고 시도하세요.",
        "store_unavailable" | "store_busy" | "database" => "데이터베이스가 지금 응답하지 않아요. 잠시 뒤에 다시 해 보세요.",
        "engine_unavailable" | "engine" => "컨테이너 엔진이 지금 응답하지 않아요. 잠시 뒤에 다시 해 보세요.",
        "unreadable" => "저장된 내용을 읽을 수 없어요. 다른 것은 그대로 동작해요. 요청 ID를 관리자에게 알려 주세요.",
        "disk_full" => "디스크가 가득 찼어요. 관리자에게 알려 주세요.",
        "busy" | "in_progress" => "지금은 바빠요. 잠시 뒤에 다시 해 보세요.",
        "email_taken" => "이미 쓰고 있는 이메일이에요. 로그인하거나 다른 주소를 쓰세요.",
        "wrong_address" => "이 초대는 다른 이메일 주소로 보낸 것이에요.",
        "already_member" => "이미 팀에 있는 사람이에요.",
        "suspend_self" => "자기 자신은 정지할 수 없어요.",
        "suspended" => "정지된 계정이에요. 관리자에게 문의하세요.",
        "nothing_deployed" => "아직 배포한 것이 없어요. 먼저 배포하세요.",
        "default_route" => "Berth가 만든 주소는 제거할 수 없어요.",
        "too_many_tokens" => "토큰이 너무 많아요. 쓰지 않는 토큰을 먼저 폐기하세요.",
        "too_many_routes" => "주소가 너무 많아요. 쓰지 않는 주소를 먼저 제거하세요.",
        "invalid_person_name" | "invalid_token_name" => "이름을 1자에서 100자까지 적으세요.",
        "invalid_description" => "설명은 한 줄, 200자까지 적을 수 있어요.",
        "invalid_days" => "기간은 1일에서 3650일까지예요.",
        "invalid_path" => "경로는 /로 시작해야 해요.",
        "forbidden" | "no_scope" | "missing_scope" => "이 일을 할 권한이 없어요. 팀 소유자에게 요청하세요.",
        "token_bound" => "한 팀에서만 쓰는 토큰이에요. 팀이 정해지지 않은 토큰을 쓰세요.",
        "not_signed_in" => "먼저 로그인하세요.",
        "file_too_long" => "berth.yaml은 256 KiB까지 쓸 수 있어요. 줄이세요.",
        "invalid_pipeline" => "이 브랜치 맨 앞의 berth.yaml을 읽을 수 없어요. `berth lint`로 무엇이 잘못됐는지 볼 수 있어요.",
        "invalid_form" => "양식을 읽을 수 없어요. 페이지를 다시 열고 시도하세요.",
        "invalid_query" => "주소의 조건이 올바르지 않아요. 페이지를 처음부터 다시 여세요.",
        "invalid_range" => "줄 범위는 작은 번호부터 적으세요. 예: `?from=1&to=200`",
        "nothing_to_find" => "찾을 단어를 적으세요.",
        "invalid_secret" => "시크릿 이름은 영문자, 숫자, 밑줄만 쓸 수 있고, 값은 비어 있지 않고 32 KiB까지여야 해요.",
        "too_many_secrets" => "시크릿이 너무 많아요. 쓰지 않는 시크릿을 먼저 잊게 하세요.",
        "too_many_instances" => "프로세스가 가질 수 있는 인스턴스보다 많아요. 수를 줄이세요.",
        "unknown_process" => "그런 프로세스가 없어요. 목록에 있는 이름을 쓰세요.",
        "not_ended" => "아직 끝나지 않았어요. 끝나기를 기다리거나 먼저 취소하세요.",
        "artifact_gone" => "파일이 이제 없어요. 커밋을 다시 실행하세요.",
        "unknown_language" => "콘솔은 영어와 한국어를 쓸 수 있어요.",
        "unknown_invitation" => "열려 있는 초대가 아니에요. 이미 쓰였거나 거두었거나 없던 초대예요.",
        "too_slow" => "너무 오래 걸려서 멈췄어요. 잠시 뒤에 다시 해 보세요.",
        "engine_hung" => "컨테이너 엔진이 제때 응답하지 않았어요. `berth doctor`로 자세히 볼 수 있어요.",
        "cross_origin" => "다른 사이트에서 온 요청이라 거절했어요.",
        _ => match error.kind {
            Kind::NotFound => "그런 페이지가 없거나 볼 수 없는 페이지예요.",
            Kind::Internal => "Berth에 문제가 생겼어요. 다시 해 보고, 계속되면 요청 ID를 관리자에게 알려 주세요.",
            Kind::TooLarge => "보낸 내용이 너무 커요.",
            _ => return None,
        },
    })
}
