//! Words and sentences used all over the console.

use super::sentences;

sentences! {
    motto: "Push, prove, route." / "푸시하면, 검증하고, 연결해요.";
    skip: "Skip to the content" / "본문으로 건너뛰기";
    menu: "Menu" / "메뉴";
    way_here: "Where you are" / "현재 위치";
    live: "Live" / "실시간";
    reconnecting: "Reconnecting…" / "다시 연결하는 중…";
    search: "Search" / "검색";
    search_what: "Service, environment, run number, commit, action…" / "서비스, 환경, 실행 번호, 커밋, 작업…";
    search_below: "Everything you may see, and everything you can begin." / "볼 수 있는 모든 것과 시작할 수 있는 모든 작업이에요.";
    search_results: "What fits" / "검색 결과";
    search_nothing: "Nothing fits. Try fewer letters, or part of a name." / "맞는 것이 없어요. 글자를 줄이거나 이름 일부만 적어 보세요.";
    keys: "Keys" / "단축키";
    keys_single: "Keys without Ctrl work too" / "Ctrl 없는 단축키도 쓰기";
    key_choose: "choose" / "고르기";
    key_go: "go there" / "이동";
    key_close: "Close" / "닫기";
    page: "Page" / "페이지";
    action_word: "Action" / "작업";
    setting: "Setting" / "설정";
    environment: "Environment" / "환경";
    run: "Run" / "실행";
    copy_as: "CLI / HTTP" / "CLI / HTTP로";
    copy_as_says: "The same from a terminal or a program. The token is one of yours." / "터미널이나 프로그램에서 같은 일을 하는 방법이에요. 토큰은 내 토큰을 쓰세요.";
    way_look: "Show this" / "이 내용 보기";
    copy: "Copy" / "복사";
    copied: "Copied" / "복사했어요";
    older: "Older" / "이전 항목 보기";
    further: "More" / "더 보기";
    about: "About" / "정보";
    name: "Name" / "이름";
    name_hint: "Small letters, digits and hyphens, for example orders-api." / "영문 소문자, 숫자, 하이픈을 쓸 수 있어요. 예: orders-api";
    description: "What it does" / "하는 일";
    description_hint: "One line; your team sees it on its home." / "한 줄로 적어 주세요. 팀 홈에 보여요.";
    service: "Service" / "서비스";
    team: "Team" / "팀";
    person: "Person" / "사람";
    save: "Save" / "저장";
    add: "Add" / "추가";
    change: "Change" / "변경";
    remove: "Remove" / "제거";
    cancel: "Cancel" / "취소";
    filter: "Filter" / "거르기";
    show_all: "Show all" / "모두 보기";
    look_again: "Look again" / "새로 보기";
    preview: "Preview" / "미리 보기";
    would_happen: "This would happen:" / "이렇게 진행돼요:";
    you: "you" / "나";
    by: "By" / "요청한 사람";
    ended: "Ended" / "끝난 시각";
    waited: "Waited" / "기다린 시간";
    status: "Status" / "상태 코드";
    request: "Request" / "요청 ID";
    ready: "Ready" / "준비됨";
    to_do: "To do" / "할 일";
    missing: "Missing" / "없음";
    type_name(name): "Type {name} to confirm" / "확인하려면 {name} 이름을 입력하세요";
    needs_role(role): "Changing things here takes the role {role}. Ask an owner of the team." / "여기서 무언가를 바꾸려면 {role} 역할이 필요해요. 팀 소유자에게 요청하세요.";
    in_stage(word, stage): "{word} in {stage}" / "{stage} 단계 {word}";
    in_environment(name): "in {name}" / "{name} 환경";
    team_named(name): "Team {name}" / "{name} 팀";

    nav_home: "Home" / "홈";
    nav_activity: "Activity" / "활동";
    nav_people: "People" / "구성원";
    nav_teams: "Teams" / "팀";
    nav_all_teams: "All teams" / "모든 팀";
    nav_new_team: "New team" / "새 팀";
    nav_platform: "Platform" / "플랫폼";
    nav_hosts: "Hosts" / "호스트";
    nav_environments: "Environments" / "환경";
    nav_everybody: "Everybody" / "모든 사용자";
    nav_everything: "All activity" / "전체 활동";
    nav_tokens: "Tokens" / "토큰";
    nav_you: "You" / "내 계정";
    sign_out: "Sign out" / "로그아웃";

    col_number: "Number" / "번호";
    col_service: "Service" / "서비스";
    col_state: "Status" / "상태";
    col_commit: "Commit" / "커밋";
    col_message: "Message" / "메시지";
    col_when: "When" / "시각";
    col_since: "Since" / "시작";
    col_services: "Services" / "서비스";
    col_members: "Members" / "구성원";
    col_role: "Role" / "역할";
    col_scopes: "May" / "권한";
    col_used: "Last used" / "마지막 사용";
    col_runs_in: "Runs in" / "실행 환경";

    done_saved: "Saved." / "저장했어요.";
    done_password: "Your password is changed; every other session has ended." / "비밀번호를 바꿨어요. 다른 세션은 모두 끝났어요.";
    done_revoked: "The token is revoked." / "토큰을 폐기했어요.";
    done_withdrawn: "The invitation is withdrawn." / "초대를 거두었어요.";
    done_removed: "Removed." / "제거했어요.";
    done_role: "The role is changed." / "역할을 바꿨어요.";
    done_moved: "Moved." / "옮겼어요.";
    done_added: "Added." / "추가했어요.";
    done_created: "Created." / "만들었어요.";
    done_deleted: "The service is being taken down." / "서비스를 내리고 있어요.";
    done_cancelling: "Cancelling was asked for; it stops at the next safe point." / "취소를 요청했어요. 다음 안전한 지점에서 멈춰요.";
    done_nothing: "Nothing would change: this is what runs already." / "바뀌는 것이 없어요. 이미 그대로 실행 중이에요.";
    done_config: "The variables are saved; the next release uses them." / "변수를 저장했어요. 다음 릴리스부터 적용돼요.";

    error_not_found: "Not found" / "찾을 수 없어요";
    error_forbidden: "Not yours to see" / "볼 수 없는 페이지예요";
    error_unavailable: "Not answering right now" / "지금은 응답하지 않아요";
    error_too_many: "Too fast" / "요청이 너무 잦아요";
    error_internal: "Something broke on our side" / "Berth에 문제가 생겼어요";
    error_other: "That did not work" / "처리하지 못했어요";
    to_the_start: "To the start" / "처음으로";
}

impl super::Lang {
    /// "3 fit"
    pub fn search_found(self, count: usize) -> String {
        match (self, count) {
            (Self::En, 1) => "One fits.".to_owned(),
            (Self::En, _) => format!("{count} fit."),
            (Self::Ko, _) => format!("{count}개를 찾았어요."),
        }
    }

    /// "1 person in shop" …
    pub fn people_below(self, count: usize, team: impl std::fmt::Display) -> String {
        match (self, count) {
            (Self::En, 1) => format!("1 person in {team}."),
            (Self::En, _) => format!("{count} people in {team}."),
            (Self::Ko, _) => format!("{team} 팀에 {count}명이 있어요."),
        }
    }
}
